namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Cuts the pieces of an <see cref="EncodeState"/> into smaller ones, and may rewrite their text. Immutable. Empty pieces disappear.</summary>
internal abstract class PreTokenizer
{
    public abstract void Apply(EncodeState state);
}

internal sealed class PreTokenizerSequence(PreTokenizer[] steps) : PreTokenizer
{
    public override void Apply(EncodeState state)
    {
        foreach (var step in steps)
        {
            step.Apply(state);
        }
    }
}
