namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>GPT-2's: an optional space before each piece, its pattern, and every byte written as one character of the byte alphabet. Where it is the last step the characters
/// are not written: the model takes the bytes (<paramref name="mapBytes"/> is false).</summary>
internal sealed class ByteLevelPreTokenizer(bool addPrefixSpace, bool useRegex, bool mapBytes) : PreTokenizer
{
    private readonly SplitPreTokenizer? _split = useRegex ? new SplitPreTokenizer(new KnownPattern.Gpt2(), SplitBehavior.Isolated, invert: false) : null;

    public override void Apply(EncodeState state)
    {
        if (addPrefixSpace)
        {
            Prefix(state);
        }

        _split?.Apply(state);
        if (mapBytes)
        {
            Map(state);
        }
    }

    private static void Prefix(EncodeState state)
    {
        var text = state.Text.Span;
        state.OtherText.Reset(tracksTaint: false);
        state.OtherPieces.Clear();
        foreach (var piece in state.Pieces.Span)
        {
            var start = state.OtherText.Length;
            if (text[piece.Start] != ' ')
            {
                state.OtherText.Append(' ');
            }

            state.OtherText.Append(text[piece.Start..piece.End]);
            state.OtherPieces.Add(start, state.OtherText.Length);
        }

        state.SwapText();
        state.SwapPieces();
    }

    private static void Map(EncodeState state)
    {
        var text = state.Text.Span;
        state.OtherText.Reset(tracksTaint: false);
        state.OtherPieces.Clear();
        foreach (var piece in state.Pieces.Span)
        {
            var start = state.OtherText.Length;
            foreach (var b in state.Utf8Of(text[piece.Start..piece.End]))
            {
                state.OtherText.Append(ByteAlphabet.ToChar(b));
            }

            state.OtherPieces.Add(start, state.OtherText.Length);
        }

        state.SwapText();
        state.SwapPieces();
    }
}
