namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Rust's <c>\w+|[^\w\s]+</c>.</summary>
internal sealed class WordsPattern : Pattern
{
    public override void FindAll(ReadOnlySpan<char> text, int offset, PieceList matches)
    {
        var start = 0;
        var kind = CodePointFlags.Space;
        for (var i = 0; i <= text.Length;)
        {
            var length = 1;
            var next = CodePointFlags.Space;
            if (i < text.Length)
            {
                var codePoint = CodePoints.At(text, i, out length);
                next = CodePoints.Has(codePoint, CodePointFlags.Word) ? CodePointFlags.Word : CodePoints.Has(codePoint, CodePointFlags.Space) ? CodePointFlags.Space : CodePointFlags.None;
            }

            if (next != kind || i == text.Length)
            {
                if (kind != CodePointFlags.Space)
                {
                    matches.Add(offset + start, offset + i);
                }

                start = i;
                kind = next;
            }

            i += length;
        }
    }
}
