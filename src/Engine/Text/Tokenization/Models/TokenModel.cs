namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Turns one piece of pre-tokenized text into ids. Immutable.</summary>
internal abstract class TokenModel
{
    public abstract Vocabulary Vocabulary { get; }

    /// <summary>Appends the ids of a piece (at least one char, no lone surrogate) to <see cref="EncodeState.Ids"/>.</summary>
    public abstract void Encode(ReadOnlySpan<char> piece, EncodeState state);
}
