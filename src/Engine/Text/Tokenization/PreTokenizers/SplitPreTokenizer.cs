namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>What becomes of the pieces that a pattern found.</summary>
internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>Cuts at the matches of a pattern (or, inverted, at everything between them).</summary>
internal sealed class SplitPreTokenizer(Pattern pattern, SplitBehavior behavior, bool invert) : PreTokenizer
{
    public override void Apply(EncodeState state)
    {
        var text = state.Text.Span;
        var output = state.OtherPieces;
        output.Clear();
        foreach (var piece in state.Pieces.Span)
        {
            Split(text, piece, state.Matches, output);
        }

        state.SwapPieces();
    }

    public void Split(ReadOnlySpan<char> text, Piece piece, PieceList matches, PieceList output)
    {
        matches.Clear();
        pattern.FindAll(text[piece.Start..piece.End], piece.Start, matches);
        var join = new Joiner(behavior, output);
        var at = piece.Start;
        foreach (var match in matches.Span)
        {
            if (at != match.Start)
            {
                join.Add(new Piece(at, match.Start), isMatch: invert);
            }

            join.Add(match, isMatch: !invert);
            at = match.End;
        }

        if (at != piece.End)
        {
            join.Add(new Piece(at, piece.End), isMatch: invert);
        }

        join.Finish();
    }

    /// <summary>Joins neighbours as the behaviour says; the last piece waits, because it may still grow.</summary>
    private ref struct Joiner(SplitBehavior behavior, PieceList output)
    {
        private Piece _last;
        private bool _has;
        private bool _lastIsMatch;

        public void Add(Piece piece, bool isMatch)
        {
            var joins = behavior switch
            {
                SplitBehavior.Contiguous => isMatch == _lastIsMatch,
                SplitBehavior.MergedWithPrevious => isMatch && !_lastIsMatch,
                SplitBehavior.MergedWithNext => !isMatch && _lastIsMatch,
                _ => false,
            };
            if (joins && _has)
            {
                _last = new Piece(_last.Start, piece.End);
            }
            else
            {
                Emit();
                _last = piece;
                _has = behavior != SplitBehavior.Removed || !isMatch;
            }

            _lastIsMatch = isMatch;
        }

        public readonly void Finish() => Emit();

        private readonly void Emit()
        {
            if (_has && _last.Length > 0)
            {
                output.Add(_last.Start, _last.End);
            }
        }
    }
}
