using System.Text;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Collects text with its writers. Refuses to grow beyond the budget before it allocates.</summary>
internal sealed class TextBuilder(RenderState state)
{
    private readonly StringBuilder text = new();
    private List<int>? flips;
    private Provenance first;
    private Provenance last;

    public int Length => text.Length;

    public void Append(ReadOnlySpan<char> piece, Provenance provenance)
    {
        if (piece.IsEmpty)
        {
            return;
        }

        Reserve(piece.Length);
        Mark(provenance);
        text.Append(piece);
    }

    public void Append(char unit, Provenance provenance) => Append([unit], provenance);

    public void Append(StringValue value) => Append(value, 0, value.Text.Length);

    /// <summary>Appends a part, given in UTF-16 units.</summary>
    public void Append(StringValue value, int start, int length)
    {
        Reserve(length);
        for (var end = start + length; start < end;)
        {
            var stop = Math.Min(end, value.RunEnd(start));
            Mark(value.At(start));
            text.Append(value.Text, start, stop - start);
            start = stop;
        }
    }

    /// <summary>The same text <paramref name="count"/> times.</summary>
    public void AppendRepeated(StringValue value, long count)
    {
        if (count <= 0 || value.Text.Length == 0)
        {
            return;
        }

        state.CheckLength(Int128.CreateChecked(count) * value.Text.Length + text.Length);
        for (long i = 0; i < count; i++)
        {
            Append(value);
        }
    }

    public StringValue ToValue(bool markup = false)
    {
        state.ChargeChars(text.Length + 32);
        return new StringValue(text.ToString(), first, flips?.ToArray(), markup);
    }

    public List<TextSpan> ToSpans()
    {
        var spans = new List<TextSpan>((flips?.Count ?? 0) + 1);
        var start = 0;
        var provenance = first;
        foreach (var flip in flips ?? [])
        {
            spans.Add(new TextSpan(text.ToString(start, flip - start), provenance));
            start = flip;
            provenance = StringValue.Other(provenance);
        }

        if (start < text.Length)
        {
            spans.Add(new TextSpan(text.ToString(start, text.Length - start), provenance));
        }

        return spans;
    }

    private void Reserve(int more)
    {
        state.CheckLength((Int128)text.Length + more);
        state.ChargeChars(more);
    }

    private void Mark(Provenance provenance)
    {
        if (text.Length == 0)
        {
            first = provenance;
        }
        else if (provenance != last)
        {
            (flips ??= []).Add(text.Length);
        }

        last = provenance;
    }
}
