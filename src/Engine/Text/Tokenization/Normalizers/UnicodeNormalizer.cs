namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>NFC, NFD, NFKC, NFKD by the reference's tables (not by the platform's, which change with the version and are missing in invariant mode). Linear, whatever the
/// marks: runs of combining marks are sorted by counting.</summary>
internal sealed class UnicodeNormalizer(bool compose, bool compatible) : Normalizer
{
    private const int LongRun = 32;
    private const int LongestDecomposition = 18;

    private readonly byte _changes = (byte)(UnicodeMappings.HasOrder
        | (compatible ? UnicodeMappings.DecomposesCompatibly : 0)
        | (compose ? UnicodeMappings.ComposesWithPrevious | UnicodeMappings.ChangesInNfc : UnicodeMappings.Decomposes));

    public override void Apply(EncodeState state)
    {
        if (!MayChange(state.Text.Span))
        {
            return;
        }

        var scratch = state.Normalization;
        Decompose(state.Text, scratch);
        Reorder(scratch);
        var count = compose ? Compose(scratch) : scratch.Count;
        var output = state.OtherText;
        output.Reset(state.Text.TracksTaint);
        for (var i = 0; i < count; i++)
        {
            output.AppendCodePoint(scratch.CodePoints[i], scratch.Taint[i]);
        }

        state.SwapText();
    }

    private bool MayChange(ReadOnlySpan<char> text)
    {
        // Below U+00A0 nothing changes in any form, below U+0300 nothing in NFC.
        var limit = compose && !compatible ? '\u0300' : '\u00A0';
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] < limit)
            {
                continue;
            }

            var codePoint = CodePoints.At(text, i, out var length);
            if ((UnicodeMappings.Flags(codePoint) & _changes) != 0)
            {
                return true;
            }

            i += length - 1;
        }

        return false;
    }

    private void Decompose(TextBuffer input, NormalizationScratch scratch)
    {
        var text = input.Span;
        var taint = input.Taint;
        Span<int> parts = stackalloc int[LongestDecomposition];
        scratch.Clear();
        for (var i = 0; i < text.Length;)
        {
            var codePoint = CodePoints.At(text, i, out var length);
            var source = taint.IsEmpty ? (byte)0 : taint[i];
            var count = UnicodeMappings.Decompose(codePoint, compatible, parts);
            foreach (var part in parts[..count])
            {
                scratch.Add(part, source);
            }

            i += length;
        }
    }

    private static void Reorder(NormalizationScratch scratch)
    {
        for (var i = 0; i < scratch.Count; i++)
        {
            if (UnicodeMappings.Order(scratch.CodePoints[i]) == 0)
            {
                continue;
            }

            var start = i;
            while (i < scratch.Count && UnicodeMappings.Order(scratch.CodePoints[i]) != 0)
            {
                i++;
            }

            if (i - start > LongRun)
            {
                SortLong(scratch, start, i);
            }
            else
            {
                SortShort(scratch, start, i);
            }
        }
    }

    private static void SortShort(NormalizationScratch scratch, int start, int end)
    {
        for (var i = start + 1; i < end; i++)
        {
            var (codePoint, taint) = (scratch.CodePoints[i], scratch.Taint[i]);
            var order = UnicodeMappings.Order(codePoint);
            var at = i;
            for (; at > start && UnicodeMappings.Order(scratch.CodePoints[at - 1]) > order; at--)
            {
                scratch.CodePoints[at] = scratch.CodePoints[at - 1];
                scratch.Taint[at] = scratch.Taint[at - 1];
            }

            scratch.CodePoints[at] = codePoint;
            scratch.Taint[at] = taint;
        }
    }

    private static void SortLong(NormalizationScratch scratch, int start, int end)
    {
        Span<int> place = stackalloc int[257];
        place.Clear();
        for (var i = start; i < end; i++)
        {
            place[UnicodeMappings.Order(scratch.CodePoints[i]) + 1]++;
        }

        for (var order = 1; order < place.Length; order++)
        {
            place[order] += place[order - 1];
        }

        var codePoints = scratch.CodePoints.AsSpan(start, end - start).ToArray();
        var taint = scratch.Taint.AsSpan(start, end - start).ToArray();
        for (var i = 0; i < codePoints.Length; i++)
        {
            var at = start + place[UnicodeMappings.Order(codePoints[i])]++;
            scratch.CodePoints[at] = codePoints[i];
            scratch.Taint[at] = taint[i];
        }
    }

    private static int Compose(NormalizationScratch scratch)
    {
        int[] codePoints = scratch.CodePoints;
        var written = 0;
        var starter = -1;
        var lastOrder = 0;
        for (var i = 0; i < scratch.Count; i++)
        {
            var codePoint = codePoints[i];
            int order = UnicodeMappings.Order(codePoint);
            if (starter >= 0 && (lastOrder == 0 || lastOrder < order))
            {
                var composite = UnicodeMappings.Compose(codePoints[starter], codePoint);
                if (composite >= 0)
                {
                    codePoints[starter] = composite;
                    scratch.Taint[starter] |= scratch.Taint[i];
                    continue;
                }
            }

            if (order == 0)
            {
                starter = written;
            }

            lastOrder = order;
            scratch.Taint[written] = scratch.Taint[i];
            codePoints[written++] = codePoint;
        }

        return written;
    }
}

/// <summary>Code points between decomposition and composition.</summary>
internal sealed class NormalizationScratch
{
    public int[] CodePoints { get; private set; } = new int[256];
    public byte[] Taint { get; private set; } = new byte[256];
    public int Count { get; private set; }

    public void Clear() => Count = 0;

    public void Add(int codePoint, byte taint)
    {
        if (Count == CodePoints.Length)
        {
            if (Count >= TextBuffer.MaxLength)
            {
                throw TextBuffer.TooLong();
            }

            CodePoints = [.. CodePoints, .. new int[Count]];
            Taint = [.. Taint, .. new byte[Count]];
        }

        CodePoints[Count] = codePoint;
        Taint[Count++] = taint;
    }
}
