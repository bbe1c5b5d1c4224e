namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>Where a text stands in a grammar: a value, small and never changed, so that walks may go back for nothing.</summary>
/// <param name="Mode">What is being read; null where nothing can match.</param>
/// <param name="Value">State within the mode.</param>
/// <param name="Stack">Where to go on when what is being read is complete; null outside of JSON.</param>
internal readonly record struct Cursor(Mode? Mode, int Value, Json.ReturnStack? Stack = null)
{
    public Cursor Step(byte b) => Mode!.Step(this, b);

    public bool CanEnd => Mode!.CanEnd(this);

    public bool IsDead => Mode is null;
}

/// <summary>One kind of thing being read, with all that is around it. Immutable, or changed only by memorizing what it computed.</summary>
internal abstract class Mode
{
    /// <summary>Where a byte leads; dead where no text can go on like this.</summary>
    public abstract Cursor Step(in Cursor at, byte b);

    /// <summary>Whether the text may end here.</summary>
    public virtual bool CanEnd(in Cursor at) => false;

    /// <summary>The only byte that can come, where the text cannot end and no token is asked for by number; else -1.</summary>
    public virtual int OnlyByte(in Cursor at) => -1;

    /// <summary>Tokens allowed here by number, and where they lead.</summary>
    public virtual void Tokens(in Cursor at, List<(int Id, Cursor Next)> tokens)
    {
    }

    /// <summary>The allowed tokens that have bytes, added to a mask.</summary>
    public virtual void Fill(in Cursor at, MaskWalk walk) => walk.Walk(walk.Vocabulary.Trie, at);
}
