namespace KvPrefetch.Engine.Text.Constraints.Regular;

/// <content>Expressions of expressions, in forms in which equal languages are mostly equal numbers.</content>
internal sealed partial class ExprPool
{
    /// <summary>Single bytes leading to expressions: (first, last, target) triples, ascending and apart.</summary>
    public int Branch(int[] ranges)
    {
        var merged = Merge(ranges);
        if (merged.Length == 0)
        {
            return Empty;
        }

        var aligned = true;
        var searched = false;
        for (var i = 0; i < merged.Length; i += 3)
        {
            aligned &= merged[i] is < 0x80 or > 0xBF;
            searched |= (_nodes[merged[i + 2]].Flags & Flags.Searched) != Flags.None;
        }

        return Intern(Kind.Branch, 0, 0, 0, merged, false, (aligned ? Flags.Aligned : Flags.None) | (searched ? Flags.Searched : Flags.None));
    }

    public int Leaf(NumberLeaf leaf)
    {
        if (leaf.Constant is { } constant)
        {
            return constant ? All : Empty;
        }

        if (_leafIds.TryGetValue(leaf, out var id))
        {
            return id;
        }

        id = Add(Kind.Leaf, _leaves.Count, 0, 0, null, leaf.Nullable, Flags.Searched);
        _leaves.Add(leaf);
        _leafIds.Add(leaf, id);
        Bytes += 120;
        return id;
    }

    public int Concat(params ReadOnlySpan<int> parts)
    {
        var e = Epsilon;
        for (var i = parts.Length - 1; i >= 0; i--)
        {
            e = Concat(parts[i], e);
        }

        return e;
    }

    public int Concat(int a, int b)
    {
        if (a == Empty || b == Empty)
        {
            return Empty;
        }

        if (a == Epsilon)
        {
            return b;
        }

        if (b == Epsilon || (a == All && b == All))
        {
            return a;
        }

        ref var node = ref _nodes[a];
        if (node.Kind == Kind.Concat)
        {
            Deep.Check();
            var (first, rest) = (node.A, node.B);
            return Concat(first, Concat(rest, b));
        }

        if (node.Kind == Kind.Repeat)
        {
            // x{2,5} x{1,} is x{3,}.
            ref var after = ref _nodes[b];
            if (after.Kind == Kind.Repeat && after.A == node.A)
            {
                return Repeat(node.A, SaturatingAdd(node.B, after.B), SaturatingAdd(node.C, after.C));
            }
        }

        var flags = (_nodes[a].Flags & _nodes[b].Flags & Flags.Aligned) | ((_nodes[a].Flags | _nodes[b].Flags) & Flags.Searched);
        return Intern(Kind.Concat, a, b, 0, null, _nodes[a].Nullable && _nodes[b].Nullable, flags);
    }

    public int Alt(int a, int b) => a == b || b == Empty ? a : a == Empty ? b : Alt([a, b]);

    public int Alt(ReadOnlySpan<int> parts)
    {
        List<int> items = [];
        Flatten(parts, Kind.Alt, items);
        if (items.Contains(All))
        {
            return All;
        }

        items.Sort();
        Distinct(items);
        items.Remove(Empty);
        if (items.Contains(AnyText) && AnyText != 0)
        {
            items.RemoveAll(e => e != AnyText && (_nodes[e].Flags & (Flags.Aligned | Flags.Searched)) == Flags.Aligned);
        }

        if (items.Count > 1)
        {
            MergeRepeats(items);
        }

        if (items.Count > 1 && items[0] == Epsilon && items.Skip(1).Any(e => _nodes[e].Nullable))
        {
            items.RemoveAt(0);
        }

        if (items.Count < 2)
        {
            return items.Count == 0 ? Empty : items[0];
        }

        bool nullable = false, searched = false, aligned = true;
        foreach (var e in items)
        {
            nullable |= _nodes[e].Nullable;
            searched |= (_nodes[e].Flags & Flags.Searched) != Flags.None;
            aligned &= (_nodes[e].Flags & Flags.Aligned) != Flags.None;
            if (searched && Complement(items, e))
            {
                return All;
            }
        }

        return Intern(Kind.Alt, 0, 0, 0, [.. items], nullable, (searched ? Flags.Searched : Flags.None) | (aligned ? Flags.Aligned : Flags.None));
    }

    public int And(int a, int b) => a == b || b == All ? a : a == All ? b : And([a, b]);

    public int And(ReadOnlySpan<int> parts)
    {
        List<int> items = [];
        Flatten(parts, Kind.And, items);
        items.Sort();
        Distinct(items);
        if (items.Contains(Empty))
        {
            return Empty;
        }

        items.Remove(All);
        if (items.Contains(Epsilon))
        {
            return items.TrueForAll(e => _nodes[e].Nullable) ? Epsilon : Empty;
        }

        if (items.Count > 1 && items.Contains(AnyText) && items.Exists(e => e != AnyText && (_nodes[e].Flags & (Flags.Aligned | Flags.Searched)) == Flags.Aligned))
        {
            items.Remove(AnyText);
        }

        // Lengths meet in one.
        var lengths = items.FindAll(e => _nodes[e].Kind == Kind.Repeat && _nodes[e].A == AnyChar);
        if (lengths.Count > 1)
        {
            int min = 0, max = Infinite;
            foreach (var e in lengths)
            {
                (min, max) = (Math.Max(min, _nodes[e].B), Math.Min(max, _nodes[e].C));
                items.Remove(e);
            }

            if (min > max)
            {
                return Empty;
            }

            items.Add(Repeat(AnyChar, min, max));
            items.Sort();
        }

        if (items.Count < 2)
        {
            return items.Count == 0 ? All : items[0];
        }

        var (nullable, aligned) = (true, false);
        foreach (var e in items)
        {
            nullable &= _nodes[e].Nullable;
            aligned |= (_nodes[e].Flags & (Flags.Aligned | Flags.Searched)) == Flags.Aligned;
            if (Complement(items, e))
            {
                return Empty;
            }
        }

        return Intern(Kind.And, 0, 0, 0, [.. items], nullable, Flags.Searched | (aligned ? Flags.Aligned : Flags.None));
    }

    public int Not(int e) => e == Empty ? All : _nodes[e].Kind == Kind.Not ? _nodes[e].A : Intern(Kind.Not, e, 0, 0, null, !_nodes[e].Nullable, Flags.Searched);

    public int Optional(int e) => Alt(Epsilon, e);

    public int Star(int e) => Repeat(e, 0, Infinite);

    public int Repeat(int e, int min, int max)
    {
        if (min > max)
        {
            return Empty;
        }

        if (e == Empty)
        {
            return min == 0 ? Epsilon : Empty;
        }

        if (e == Epsilon || max == 0)
        {
            return Epsilon;
        }

        if (min == 1 && max == 1)
        {
            return e;
        }

        ref var node = ref _nodes[e];
        if (node.Nullable)
        {
            min = 0;
        }

        if (node.Kind == Kind.Repeat && node.B <= 1 && node.C == Infinite)
        {
            // (x+){2,5} and such.
            return Repeat(node.A, node.B == 0 ? 0 : min, Infinite);
        }

        return e == All ? All : Intern(Kind.Repeat, e, min, max, null, min == 0 || node.Nullable, node.Flags & (Flags.Searched | Flags.Aligned));
    }

    private void Flatten(ReadOnlySpan<int> parts, Kind kind, List<int> items)
    {
        foreach (var part in parts)
        {
            if (_nodes[part].Kind == kind)
            {
                items.AddRange(_nodes[part].Items!);
            }
            else
            {
                items.Add(part);
            }
        }
    }

    private static void Distinct(List<int> sorted)
    {
        var kept = 0;
        for (var i = 0; i < sorted.Count; i++)
        {
            if (kept == 0 || sorted[kept - 1] != sorted[i])
            {
                sorted[kept++] = sorted[i];
            }
        }

        sorted.RemoveRange(kept, sorted.Count - kept);
    }

    /// <summary>x{2,4}t | x{3,9}t is x{2,9}t: without this, two counted repetitions in a row have as many states as their product.</summary>
    private void MergeRepeats(List<int> items)
    {
        for (var i = 0; i < items.Count; i++)
        {
            if (!Counted(items[i], out var body, out var min, out var max, out var tail))
            {
                continue;
            }

            for (var j = i + 1; j < items.Count; j++)
            {
                if (Counted(items[j], out var body2, out var min2, out var max2, out var tail2) && body == body2 && tail == tail2
                    && min <= SaturatingAdd(max2, 1) && min2 <= SaturatingAdd(max, 1))
                {
                    (min, max) = (Math.Min(min, min2), Math.Max(max, max2));
                    items[i] = Concat(Repeat(body, min, max), tail);
                    items.RemoveAt(j);
                    j = i;
                }
            }
        }

        items.Sort();
        Distinct(items);
    }

    private bool Counted(int e, out int body, out int min, out int max, out int tail)
    {
        var node = _nodes[e];
        tail = Epsilon;
        if (node.Kind == Kind.Concat)
        {
            tail = node.B;
            node = _nodes[node.A];
        }

        (body, min, max) = (node.A, node.B, node.C);
        return node.Kind == Kind.Repeat;
    }

    private bool Complement(List<int> items, int e) => _nodes[e].Kind == Kind.Not && items.Contains(_nodes[e].A);

    private static int SaturatingAdd(int a, int b) => a > Infinite - b ? Infinite : a + b;
}
