namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Something that finds pieces of a text: a literal, a class of characters, a known or a general regular expression.</summary>
internal abstract class Pattern
{
    /// <summary>Appends every match, left to right, without overlap. Offsets are relative to the span plus <paramref name="offset"/>.</summary>
    public abstract void FindAll(ReadOnlySpan<char> text, int offset, PieceList matches);
}

/// <summary>A fixed text. An empty one finds nothing.</summary>
internal sealed class LiteralPattern(string literal) : Pattern
{
    public string Text { get; } = literal;

    public override void FindAll(ReadOnlySpan<char> text, int offset, PieceList matches)
    {
        if (Text.Length == 0)
        {
            return;
        }

        for (var at = 0; ;)
        {
            var found = text[at..].IndexOf(Text, StringComparison.Ordinal);
            if (found < 0)
            {
                return;
            }

            matches.Add(offset + at + found, offset + at + found + Text.Length);
            at += found + Text.Length;
        }
    }
}

/// <summary>Single characters of a class.</summary>
internal sealed class ClassPattern(CodePointFlags flags) : Pattern
{
    public override void FindAll(ReadOnlySpan<char> text, int offset, PieceList matches)
    {
        for (var i = 0; i < text.Length;)
        {
            var codePoint = CodePoints.At(text, i, out var length);
            if (CodePoints.Has(codePoint, flags))
            {
                matches.Add(offset + i, offset + i + length);
            }

            i += length;
        }
    }
}
