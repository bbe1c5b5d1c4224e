namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>Where a text stands in a grammar: a value, small and never changed, so that walks may go back for nothing.</summary>
/// <param name="Mode">What is being read; null where nothing can match.</param>
/// <param name="Value">State within the mode.</param>
internal readonly record struct Cursor(Mode? Mode, int Value)
{
    public bool IsDead => Mode is null;
}

/// <summary>One kind of thing being read, with all that is around it. Immutable, or changed only by memorizing what it computed.</summary>
internal abstract class Mode
{
    /// <summary>Where a byte leads; dead where no text can go on like this.</summary>
    public abstract Cursor Step(int value, byte b);

    /// <summary>Whether the text may end here.</summary>
    public virtual bool CanEnd(int value) => false;

    /// <summary>The only byte that can come, where the text cannot end and no token is asked for by number; else -1.</summary>
    public virtual int OnlyByte(int value) => -1;

    /// <summary>Tokens allowed here by number, and where they lead.</summary>
    public virtual void Tokens(int value, List<(int Id, Cursor Next)> tokens)
    {
    }

    /// <summary>The allowed tokens that have bytes, added to a mask.</summary>
    public virtual void Fill(int value, MaskWalk walk) => walk.Walk(walk.Vocabulary.Trie, new Cursor(this, value));
}
