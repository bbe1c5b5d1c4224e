namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>When a metaspace goes before a piece that does not begin with one.</summary>
internal enum PrependScheme
{
    Never,
    First,
    Always,
}

/// <summary>SentencePiece's: spaces become a visible character (▁), and words begin with it.</summary>
internal sealed class MetaspacePreTokenizer(string replacement, PrependScheme scheme, bool split) : PreTokenizer
{
    private readonly SplitPreTokenizer? _split = split ? new SplitPreTokenizer(new LiteralPattern(replacement), SplitBehavior.MergedWithNext, invert: false) : null;

    public override void Apply(EncodeState state)
    {
        var text = state.Text.Span;
        var output = state.OtherText;
        output.Reset(tracksTaint: false);
        state.OtherPieces.Clear();
        foreach (var piece in state.Pieces.Span)
        {
            var start = output.Length;
            var source = text[piece.Start..piece.End];
            var begins = source[0] == ' ' || source.StartsWith(replacement, StringComparison.Ordinal);
            if (!begins && (scheme == PrependScheme.Always || (scheme == PrependScheme.First && state.AtTextStart && piece.Start == 0)))
            {
                output.Append(replacement);
            }

            while (true)
            {
                var space = source.IndexOf(' ');
                output.Append(space < 0 ? source : source[..space]);
                if (space < 0)
                {
                    break;
                }

                output.Append(replacement);
                source = source[(space + 1)..];
            }

            state.OtherPieces.Add(start, output.Length);
        }

        state.SwapText();
        state.SwapPieces();
        _split?.Apply(state);
    }
}
