namespace KvPrefetch.Engine.Text.Constraints.Regular;

/// <content>Texts as they are.</content>
internal sealed partial class ExprPool
{
    public int Byte(byte value) => Branch([value, value, Epsilon]);

    public int Literal(ReadOnlySpan<byte> bytes)
    {
        var e = Epsilon;
        for (var i = bytes.Length - 1; i >= 0; i--)
        {
            e = Branch([bytes[i], bytes[i], e]);
        }

        return e;
    }

    /// <summary>One of several texts, as a trie with shared ends.</summary>
    public int Literals(IReadOnlyList<byte[]> texts)
    {
        var sorted = texts.ToArray();
        Array.Sort(sorted, static (a, b) => a.AsSpan().SequenceCompareTo(b));
        return Trie(sorted, 0, sorted.Length, 0);
    }

    private int Trie(byte[][] sorted, int from, int to, int depth)
    {
        Deep.Check();
        if (to - from == 1)
        {
            return Literal(sorted[from].AsSpan(depth));
        }

        // What all have in common needs no recursion.
        var common = depth;
        while (common < sorted[from].Length && common < sorted[to - 1].Length && sorted[from][common] == sorted[to - 1][common])
        {
            common++;
        }

        var ends = false;
        var i = from;
        while (i < to && sorted[i].Length == common)
        {
            ends = true;
            i++;
        }

        List<int> ranges = [];
        while (i < to)
        {
            var b = sorted[i][common];
            var next = i;
            while (next < to && sorted[next][common] == b)
            {
                next++;
            }

            ranges.AddRange([b, b, Trie(sorted, i, next, common + 1)]);
            i = next;
        }

        var e = ranges.Count == 0 ? Empty : Branch([.. ranges]);
        e = ends ? Alt(Epsilon, e) : e;
        for (var at = common - 1; at >= depth; at--)
        {
            e = Branch([sorted[from][at], sorted[from][at], e]);
        }

        return e;
    }
}
