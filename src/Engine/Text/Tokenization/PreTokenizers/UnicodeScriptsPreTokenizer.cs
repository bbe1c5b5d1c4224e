namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Cuts where the script changes. Characters of no script before the first one of a script disappear, as in the reference.</summary>
internal sealed class UnicodeScriptsPreTokenizer : PreTokenizer
{
    private static readonly byte[] s_scripts = CodePoints.Expand(UnicodeTables.Scripts);

    public override void Apply(EncodeState state)
    {
        var text = state.Text.Span;
        state.OtherPieces.Clear();
        foreach (var piece in state.Pieces.Span)
        {
            var start = -1;
            var last = -1;
            for (var i = piece.Start; i < piece.End;)
            {
                int script = s_scripts[CodePoints.At(text, i, out var length)];
                if (script != 0)
                {
                    if (script != last)
                    {
                        if (start >= 0)
                        {
                            state.OtherPieces.Add(start, i);
                        }

                        start = i;
                    }

                    last = script;
                }

                i += length;
            }

            if (start >= 0)
            {
                state.OtherPieces.Add(start, piece.End);
            }
        }

        state.SwapPieces();
    }
}

/// <summary>Pieces of a fixed number of characters.</summary>
internal sealed class FixedLengthPreTokenizer(int characters) : PreTokenizer
{
    public override void Apply(EncodeState state)
    {
        var text = state.Text.Span;
        state.OtherPieces.Clear();
        foreach (var piece in state.Pieces.Span)
        {
            for (var start = piece.Start; start < piece.End;)
            {
                var end = start;
                for (var i = 0; i < characters && end < piece.End; i++)
                {
                    _ = CodePoints.At(text, end, out var length);
                    end += length;
                }

                state.OtherPieces.Add(start, end);
                start = end;
            }
        }

        state.SwapPieces();
    }
}
