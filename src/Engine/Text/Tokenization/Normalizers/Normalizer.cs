namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Rewrites <see cref="EncodeState.Text"/>, with the provenance of every character. Immutable.</summary>
internal abstract class Normalizer
{
    public abstract void Apply(EncodeState state);
}

internal sealed class NormalizerSequence(Normalizer[] steps) : Normalizer
{
    public override void Apply(EncodeState state)
    {
        foreach (var step in steps)
        {
            step.Apply(state);
        }
    }
}
