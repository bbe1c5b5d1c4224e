namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Turns one piece of pre-tokenized text into ids. Immutable.</summary>
internal abstract class TokenModel(Vocabulary vocabulary)
{
    public Vocabulary Vocabulary { get; } = vocabulary;

    /// <summary>Appends the ids of a piece (at least one char, no lone surrogate) to <see cref="EncodeState.Ids"/>.</summary>
    public virtual void Encode(ReadOnlySpan<char> piece, EncodeState state) => EncodeWord(piece, state);

    /// <summary>As <see cref="Encode"/>, by the word cache where the word is short.</summary>
    protected void EncodeWord(ReadOnlySpan<char> word, EncodeState state)
    {
        if (word.Length > WordCache.MaxWord)
        {
            EncodeUncached(word, state);
            return;
        }

        var hash = Hashing.Of(word);
        if (state.Words.TryAppend(word, hash, state.Ids))
        {
            return;
        }

        var before = state.Ids.Count;
        EncodeUncached(word, state);
        state.Words.Store(word, hash, state.Ids.Span[before..]);
    }

    protected abstract void EncodeUncached(ReadOnlySpan<char> word, EncodeState state);

    /// <summary>The error of a text that the vocabulary cannot spell, without a token for the unknown.</summary>
    protected static TokenizerFormatException MissingUnknownToken(string? name)
        => TokenizerErrors.Format("MissingUnknownToken", $"The text has characters that the vocabulary lacks, and its unknown token '{TokenizerErrors.Shown(name ?? "")}' is not in it either.");
}
