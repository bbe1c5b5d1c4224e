namespace KvPrefetch.Engine.Text.Constraints.Regular;

/// <summary>Classes of characters as expressions over the bytes of their UTF-8. Surrogates have none.</summary>
internal static class Utf8Classes
{
    /// <param name="pool">Where the expression goes.</param>
    /// <param name="ranges">Code points, ascending and apart.</param>
    public static int Build(ExprPool pool, IReadOnlyList<(int First, int Last)> ranges)
    {
        List<int> branches = [];
        Add(pool, branches, ranges, 0, 0x7F, 0, 0);
        Add(pool, branches, ranges, 0x80, 0x7FF, 6, 0xC0);
        Add(pool, branches, ranges, 0x800, 0xFFFF, 12, 0xE0);
        Add(pool, branches, ranges, 0x10000, 0x10FFFF, 18, 0xF0);
        return pool.Branch([.. branches]);
    }

    private static void Add(ExprPool pool, List<int> branches, IReadOnlyList<(int First, int Last)> ranges, int first, int last, int bits, int lead)
    {
        List<(int, int)> inside = [];
        foreach (var (from, to) in ranges)
        {
            Clip(inside, from, to, first, Math.Min(last, 0xD7FF));
            Clip(inside, from, to, Math.Max(first, 0xE000), last);
        }

        Split(pool, branches, inside, bits, lead);
    }

    private static void Clip(List<(int, int)> ranges, int from, int to, int first, int last)
    {
        from = Math.Max(from, first);
        to = Math.Min(to, last);
        if (from <= to)
        {
            ranges.Add((from, to));
        }
    }

    /// <summary>Groups the ranges by what stands above the lowest bits.</summary>
    private static void Split(ExprPool pool, List<int> branches, List<(int First, int Last)> ranges, int bits, int lead)
    {
        List<(int, int)> part = [];
        for (var i = 0; i < ranges.Count;)
        {
            var value = ranges[i].First >> bits;
            var low = value << bits;
            var high = low | ((1 << bits) - 1);
            part.Clear();
            var whole = false;
            while (i < ranges.Count && ranges[i].First <= high)
            {
                var (first, last) = ranges[i];
                part.Add((first - low, Math.Min(last, high) - low));
                whole = first <= low && last >= high;
                if (last <= high)
                {
                    i++;
                    continue;
                }

                ranges[i] = (high + 1, last);
                break;
            }

            var end = value;
            if (whole && i < ranges.Count && ranges[i].First == high + 1)
            {
                // All of what follows is whole too, up to the end of the range.
                var more = ((ranges[i].Last + 1) >> bits) - 1;
                if (more > value)
                {
                    end = more;
                    var next = (end + 1) << bits;
                    if (next > ranges[i].Last)
                    {
                        i++;
                    }
                    else
                    {
                        ranges[i] = (next, ranges[i].Last);
                    }
                }
            }

            branches.AddRange([lead | value, lead | end, bits == 0 ? ExprPool.Epsilon : Continuation(pool, part, bits - 6)]);
        }
    }

    private static int Continuation(ExprPool pool, List<(int, int)> ranges, int bits)
    {
        List<int> branches = [];
        Split(pool, branches, [.. ranges], bits, 0x80);
        return pool.Branch([.. branches]);
    }
}
