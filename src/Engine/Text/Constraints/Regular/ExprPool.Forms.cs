namespace KvPrefetch.Engine.Text.Constraints.Regular;

/// <content>What the form of an expression tells without walking it.</content>
internal sealed partial class ExprPool
{
    private const int MaxShortestSteps = 500;
    private const int Unknown = -1;

    private readonly Dictionary<int, int> _shortest = [];

    /// <summary>Bytes that these expressions and whatever they become never tell apart.</summary>
    public ByteClasses ClassesOf(ReadOnlySpan<int> expressions)
    {
        HashSet<int> seen = [];
        Stack<int> open = [];
        // Bytes that no string of JSON has as they are stay apart from those that it has.
        List<int[]> branches = [[0, 0x1F, 0, '"', '"', 0, '\\', '\\', 0]];
        foreach (var e in expressions)
        {
            open.Push(e);
        }

        while (open.TryPop(out var e))
        {
            if (!seen.Add(e))
            {
                continue;
            }

            ref var node = ref _nodes[e];
            switch (node.Kind)
            {
                case Kind.Branch:
                    branches.Add(node.Items!);
                    for (var i = 2; i < node.Items!.Length; i += 3)
                    {
                        open.Push(node.Items[i]);
                    }

                    break;
                case Kind.Concat:
                    open.Push(node.A);
                    open.Push(node.B);
                    break;
                case Kind.Alt or Kind.And:
                    foreach (var item in node.Items!)
                    {
                        open.Push(item);
                    }

                    break;
                case Kind.Not or Kind.Repeat:
                    open.Push(node.A);
                    break;
                case Kind.Leaf:
                    branches.Add(['.', '.', 0, .. Enumerable.Range('0', 10).SelectMany(d => (int[])[d, d, d])]);
                    break;
            }
        }

        return ByteClasses.Of(branches);
    }

    /// <summary>Takes a bound on the number of characters out of an expression: texts of <paramref name="rest"/> that have so many characters, and no others, are its texts.</summary>
    public bool IsBounded(int e, out int rest, out int min, out int max)
    {
        (rest, min, max) = (e, 0, Infinite);
        ref var node = ref _nodes[e];
        if (node.Kind != Kind.And)
        {
            return false;
        }

        foreach (var item in node.Items!)
        {
            if (IsAnyChars(item, out min, out max) && max != Infinite)
            {
                rest = And([AnyText, .. node.Items!.Where(other => other != item)]);
                return true;
            }
        }

        return false;
    }

    /// <summary>True where, as far as the form tells, every text can be followed by another that makes a match of both: something is looked for anywhere.</summary>
    public bool TakesAnyText(int e)
    {
        var lasting = Lasting(e);
        return lasting != Empty && !IsEmpty(lasting);
    }

    /// <summary>A part of a language that is still there after any text: <see cref="AnyText"/>, and what begins with it.</summary>
    private int Lasting(int e)
    {
        ref var node = ref _nodes[e];
        switch (node.Kind)
        {
            case Kind.Repeat:
                return e == AnyText ? e : Empty;
            case Kind.Concat:
                return node.A == AnyText ? e : Empty;
            case Kind.Alt:
                return Alt([.. node.Items!.Select(Lasting)]);
            case Kind.And:
                return And([.. node.Items!.Select(Lasting)]);
            default:
                return Empty;
        }
    }

    /// <summary>Characters that begin in the shortest text there is; -1 where that takes too long to find out.</summary>
    public int Shortest(int e)
    {
        if (_nodes[e].Nullable)
        {
            return 0;
        }

        if (_shortest.TryGetValue(e, out var known))
        {
            return known;
        }

        Deep.Check();
        var node = _nodes[e];
        var shortest = Infinite;
        switch (node.Kind)
        {
            case Kind.Branch:
                for (var i = 0; i < node.Items!.Length && shortest != Unknown; i += 3)
                {
                    shortest = Least(shortest, Begun(node.Items, i), Shortest(node.Items[i + 2]));
                }

                break;
            case Kind.Alt:
                foreach (var item in node.Items!)
                {
                    shortest = shortest == Unknown ? Unknown : Least(shortest, 0, Shortest(item));
                }

                break;
            case Kind.Concat:
                var (first, second) = (Shortest(node.A), Shortest(node.B));
                shortest = first == Unknown || second == Unknown ? Unknown : SaturatingAdd(first, second);
                break;
            case Kind.Repeat:
                var one = Shortest(node.A);
                shortest = one == Unknown ? Unknown : (int)Math.Min(Infinite, (long)one * node.B);
                break;
            case Kind.And or Kind.Not or Kind.Leaf:
                shortest = SearchShortest(e);
                break;
        }

        _shortest[e] = shortest;
        Bytes += 24;
        return shortest;
    }

    private static int Least(int least, int begun, int rest) => rest == Unknown ? Unknown : Math.Min(least, SaturatingAdd(begun, rest));

    /// <summary>Whether each byte of a range begins a character.</summary>
    private static int Begun(int[] ranges, int i) => ranges[i] <= 0xBF && ranges[i + 1] >= 0x80 ? 0 : 1;

    private int SearchShortest(int start)
    {
        // Nearest first; a byte within a character costs nothing.
        LinkedList<(int Expr, int Length)> open = new([(start, 0)]);
        HashSet<int> seen = [];
        var steps = 0;
        var best = Infinite;
        while (open.First is { } nearest)
        {
            open.RemoveFirst();
            var (e, length) = nearest.Value;
            if (length >= best)
            {
                break;
            }

            if (!seen.Add(e))
            {
                continue;
            }

            if (_nodes[e].Nullable)
            {
                return Math.Min(best, length);
            }

            if (++steps > MaxShortestSteps)
            {
                return Unknown;
            }

            var ranges = Derive(e);
            for (var i = 0; i < ranges.Length; i += 3)
            {
                var next = ranges[i + 2];
                var after = length + Begun(ranges, i);
                if (IsEmpty(next))
                {
                    continue;
                }

                if ((_nodes[next].Flags & Flags.Searched) == Flags.None)
                {
                    var rest = Shortest(next);
                    if (rest == Unknown)
                    {
                        return Unknown;
                    }

                    best = Math.Min(best, SaturatingAdd(after, rest));
                }
                else if (after == length)
                {
                    open.AddFirst((next, after));
                }
                else
                {
                    open.AddLast((next, after));
                }
            }
        }

        return best;
    }
}
