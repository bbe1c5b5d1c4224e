namespace KvPrefetch.Engine.Requests;

/// <summary>Restricts the tokens of one request. Its state depends on the generated tokens alone, so a sequence that is computed again keeps it. Used by the pump thread alone.</summary>
internal abstract class TokenConstraint
{
    /// <summary>Tokens that may come next, stop tokens aside: bit <c>id % 32</c> of word <c>id / 32</c>; ids beyond are not allowed. Valid until the next call of <see cref="Advance"/>.</summary>
    /// <param name="canEnd">Whether the text may end here.</param>
    /// <exception cref="GrammarException">A limit was reached.</exception>
    public abstract ReadOnlySpan<uint> Allowed(out bool canEnd);

    /// <summary>Takes the token that was chosen; it is an allowed one.</summary>
    public abstract void Advance(int token);

    /// <summary>Tokens that must follow the last one taken, whatever the model says, and at the start those that must begin the text. They count as taken; none is a stop token.
    /// Valid until the next call of <see cref="Advance"/>.</summary>
    public abstract ReadOnlySpan<int> Forced { get; }
}
