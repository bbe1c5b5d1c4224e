using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Constraints.Regular;

/// <content>What remains of a language behind a byte.</content>
internal sealed partial class ExprPool
{
    /// <summary>The language after a byte; <see cref="Empty"/> where nothing can match any more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Next(int e, byte b)
    {
        var row = _rows[e] ?? MakeRow(e);
        return row.Targets[row.Map[b]];
    }

    /// <summary>The row of a state for walks: class of each byte, and target of each class.</summary>
    public Row RowOf(int e) => _rows[e] ?? MakeRow(e);

    /// <summary>The only byte that can come, where the text cannot end here; else -1.</summary>
    public int OnlyByte(int e)
    {
        if (_nodes[e].Nullable)
        {
            return -1;
        }

        var only = -1;
        foreach (var (lo, hi, _) in LiveRanges(e))
        {
            if (only >= 0 || lo != hi)
            {
                return -1;
            }

            only = lo;
        }

        return only;
    }

    /// <summary>Where bytes lead that keep a match possible.</summary>
    public IEnumerable<(int Lo, int Hi, int Target)> LiveRanges(int e)
    {
        var ranges = Derive(e);
        for (var i = 0; i < ranges.Length; i += 3)
        {
            if (!IsEmpty(ranges[i + 2]))
            {
                yield return (ranges[i], ranges[i + 1], ranges[i + 2]);
            }
        }
    }

    private Row MakeRow(int e)
    {
        var ranges = Derive(e);
        List<int> targets = [Empty];
        var map = new byte[256];
        for (var i = 0; i < ranges.Length; i += 3)
        {
            var target = ranges[i + 2];
            if (IsEmpty(target))
            {
                continue;
            }

            var index = targets.IndexOf(target);
            if (index < 0)
            {
                index = targets.Count;
                targets.Add(target);
            }

            map.AsSpan(ranges[i]..(ranges[i + 1] + 1)).Fill((byte)index);
        }

        var key = new MapKey(map);
        if (!_maps.TryGetValue(key, out var shared))
        {
            _maps.Add(key, shared = map);
            Bytes += 340;
        }

        Bytes += 72 + (targets.Count * 4);
        return _rows[e] = new Row(shared, [.. targets]);
    }

    /// <summary>All derivatives at once: (first byte, last byte, expression), ascending; bytes without an entry lead to <see cref="Empty"/>.</summary>
    public int[] Derive(int e)
    {
        if (_nodes[e].Derived is { } known)
        {
            return known;
        }

        Deep.Check();
        var node = _nodes[e];
        var ranges = node.Kind switch
        {
            Kind.Branch => node.Items!,
            Kind.Concat => DeriveConcat(node.A, node.B),
            Kind.Alt => Combine([.. node.Items!.Select(Derive)], isAnd: false),
            Kind.And => Combine([.. node.Items!.Select(Derive)], isAnd: true),
            Kind.Not => DeriveNot(node.A),
            Kind.Repeat => DeriveRepeat(node),
            Kind.Leaf => DeriveLeaf(_leaves[node.A]),
            _ => [],
        };
        if (node.Kind != Kind.Branch)
        {
            ranges = Merge(ranges);
            Bytes += 24 + (ranges.Length * 4);
        }

        _nodes[e].Derived = ranges;
        return ranges;
    }

    private int[] DeriveConcat(int a, int b)
    {
        var first = (int[])Derive(a).Clone();
        for (var i = 2; i < first.Length; i += 3)
        {
            first[i] = Concat(first[i], b);
        }

        return _nodes[a].Nullable ? Combine([first, Derive(b)], isAnd: false) : first;
    }

    private int[] DeriveRepeat(Node node)
    {
        var rest = Repeat(node.A, Math.Max(0, node.B - 1), node.C == Infinite ? Infinite : node.C - 1);
        var ranges = (int[])Derive(node.A).Clone();
        for (var i = 2; i < ranges.Length; i += 3)
        {
            ranges[i] = Concat(ranges[i], rest);
        }

        return ranges;
    }

    private int[] DeriveNot(int e)
    {
        var inner = Derive(e);
        List<int> ranges = [];
        var at = 0;
        for (var i = 0; i < inner.Length; i += 3)
        {
            if (inner[i] > at)
            {
                ranges.AddRange([at, inner[i] - 1, All]);
            }

            ranges.AddRange([inner[i], inner[i + 1], Not(inner[i + 2])]);
            at = inner[i + 1] + 1;
        }

        if (at < 256)
        {
            ranges.AddRange([at, 255, All]);
        }

        return [.. ranges];
    }

    private int[] DeriveLeaf(NumberLeaf leaf)
    {
        List<int> ranges = [];
        if (leaf.Next('.') is { } point)
        {
            ranges.AddRange(['.', '.', Leaf(point)]);
        }

        for (var digit = '0'; digit <= '9'; digit++)
        {
            if (leaf.Next(digit) is { } next)
            {
                ranges.AddRange([digit, digit, Leaf(next)]);
            }
        }

        return [.. ranges];
    }

    private int[] Combine(int[][] lists, bool isAnd)
    {
        if (lists.Length == 1)
        {
            return lists[0];
        }

        Span<bool> cuts = stackalloc bool[257];
        foreach (var list in lists)
        {
            for (var i = 0; i < list.Length; i += 3)
            {
                cuts[list[i]] = cuts[list[i + 1] + 1] = true;
            }
        }

        cuts[0] = true;
        List<int> ranges = [];
        var at = new int[lists.Length];
        var targets = new int[lists.Length];
        for (var lo = 0; lo < 256;)
        {
            var hi = lo;
            while (hi < 255 && !cuts[hi + 1])
            {
                hi++;
            }

            var count = 0;
            for (var l = 0; l < lists.Length; l++)
            {
                var list = lists[l];
                while (at[l] < list.Length && list[at[l] + 1] < lo)
                {
                    at[l] += 3;
                }

                if (at[l] < list.Length && list[at[l]] <= lo)
                {
                    targets[count++] = list[at[l] + 2];
                }
            }

            var target = isAnd ? count == lists.Length ? And(targets.AsSpan(0, count)) : Empty : count == 0 ? Empty : count == 1 ? targets[0] : Alt(targets.AsSpan(0, count));
            if (target != Empty)
            {
                ranges.AddRange([lo, hi, target]);
            }

            lo = hi + 1;
        }

        return [.. ranges];
    }

    private static int[] Merge(int[] ranges)
    {
        List<int> merged = [];
        for (var i = 0; i < ranges.Length; i += 3)
        {
            if (ranges[i + 2] == Empty)
            {
                continue;
            }

            if (merged.Count > 0 && merged[^1] == ranges[i + 2] && merged[^2] == ranges[i] - 1)
            {
                merged[^2] = ranges[i + 1];
            }
            else
            {
                merged.AddRange([ranges[i], ranges[i + 1], ranges[i + 2]]);
            }
        }

        return merged.Count == ranges.Length ? ranges : [.. merged];
    }
}
