namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Text that knows, for every character, who wrote it. Immutable. Python counts code points where .NET counts UTF-16 units; the members that count say which they mean.</summary>
internal sealed class StringValue : Value
{
    public static readonly StringValue Empty = new("", Provenance.Template);

    private static readonly StringValue[] TemplateCharacters = [.. Enumerable.Range(0, 128).Select(c => new StringValue(((char)c).ToString(), Provenance.Template))];
    private static readonly StringValue[] ContentCharacters = [.. Enumerable.Range(0, 128).Select(c => new StringValue(((char)c).ToString(), Provenance.Content))];

    // Positions where the provenance changes, ascending, each inside the text; null where there is one writer.
    private readonly int[]? flips;
    private readonly Provenance first;
    private int codePoints = -1;

    public StringValue(string text, Provenance provenance, bool markup = false) => (Text, first, IsMarkup) = (text, provenance, markup);

    internal StringValue(string text, Provenance first, int[]? flips, bool markup) => (Text, this.first, this.flips, IsMarkup) = (text, first, flips, markup);

    public string Text { get; }

    /// <summary>Marked by <c>safe</c> or <c>escape</c>: joined to other text with +, it escapes that text.</summary>
    public bool IsMarkup { get; }

    public override string TypeName => IsMarkup ? "Markup" : "str";

    /// <summary>Whether every character counts one UTF-16 unit.</summary>
    public bool IsSimple => CodePoints == Text.Length;

    /// <summary>Length as Python counts it.</summary>
    public int CodePoints
    {
        get
        {
            if (codePoints < 0)
            {
                var pairs = 0;
                for (var i = 1; i < Text.Length; i++)
                {
                    if (char.IsLowSurrogate(Text[i]) && char.IsHighSurrogate(Text[i - 1]))
                    {
                        pairs++;
                        i++;
                    }
                }

                codePoints = Text.Length - pairs;
            }

            return codePoints;
        }
    }

    /// <summary>Content if any character of it is content.</summary>
    public Provenance Strongest => flips is null && first == Provenance.Template ? Provenance.Template : Provenance.Content;

    public StringValue WithMarkup(bool markup) => markup == IsMarkup ? this : new StringValue(Text, first, flips, markup);

    /// <summary>Who wrote the UTF-16 unit at <paramref name="index"/>.</summary>
    public Provenance At(int index)
    {
        if (flips is null)
        {
            return first;
        }

        var found = Array.BinarySearch(flips, index);
        var changes = found >= 0 ? found + 1 : ~found;
        return (changes & 1) == 0 ? first : Other(first);
    }

    /// <summary>Index after <paramref name="index"/> at which another writer begins, or the length.</summary>
    public int RunEnd(int index)
    {
        if (flips is null)
        {
            return Text.Length;
        }

        var found = Array.BinarySearch(flips, index);
        var next = found >= 0 ? found + 1 : ~found;
        return next < flips.Length ? flips[next] : Text.Length;
    }

    /// <summary>Part of the text, in UTF-16 units.</summary>
    public StringValue Slice(RenderState state, int start, int length)
    {
        if (length == Text.Length)
        {
            return this;
        }

        if (length <= 0)
        {
            return IsMarkup ? new StringValue("", first, markup: true) : Empty;
        }

        if (length == 1 && Text[start] < 128 && !IsMarkup)
        {
            return (At(start) == Provenance.Template ? TemplateCharacters : ContentCharacters)[Text[start]];
        }

        // The objects around a short text cost more than its characters.
        state.ChargeChars(length + 32);
        var text = Text.Substring(start, length);
        if (flips is null)
        {
            return new StringValue(text, first, IsMarkup);
        }

        var from = Array.BinarySearch(flips, start);
        from = from >= 0 ? from + 1 : ~from;
        var to = Array.BinarySearch(flips, start + length);
        to = to >= 0 ? to : ~to;
        var inside = to > from ? new int[to - from] : null;
        for (var i = from; i < to; i++)
        {
            inside![i - from] = flips[i] - start;
        }

        return new StringValue(text, At(start), inside, IsMarkup);
    }

    /// <summary>UTF-16 index of the code point number <paramref name="position"/>, which may be one past the last.</summary>
    public int UnitIndex(int position)
    {
        if (IsSimple)
        {
            return position;
        }

        var index = 0;
        for (; position > 0; position--)
        {
            index += UnitLength(index);
        }

        return index;
    }

    /// <summary>Number of code points before the UTF-16 index.</summary>
    public int PointIndex(int unit)
    {
        if (IsSimple)
        {
            return unit;
        }

        var count = 0;
        for (var i = 0; i < unit; i += UnitLength(i))
        {
            count++;
        }

        return count;
    }

    /// <summary>UTF-16 units of the code point at this UTF-16 index.</summary>
    public int UnitLength(int index) => char.IsHighSurrogate(Text[index]) && index + 1 < Text.Length && char.IsLowSurrogate(Text[index + 1]) ? 2 : 1;

    public static Provenance Other(Provenance provenance) => provenance == Provenance.Template ? Provenance.Content : Provenance.Template;
}
