using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>What stands between two points of the residual stream: attention, a feed-forward unit, or both side by side.</summary>
internal interface IMixer
{
    /// <summary>output = f(x); reads and writes <c>[tokens, hidden]</c>, uses the rest of the scratch as it likes.</summary>
    void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output);

    /// <summary>residual += f(norm(residual)) * scale as one verb of the backend. False: the mixer has none, and nothing was done.</summary>
    bool TryFold(IBackend backend, in StepInputs step, TransformerScratch scratch, NormedRows residual, float scale) => false;
}

/// <summary>residual = residual * Kept + Post(Mixer(Pre(residual))) * Scale. Families differ in which of the two norms they have.</summary>
/// <param name="Pre">Norm before the mixer, or null.</param>
/// <param name="Mixer">What the block does.</param>
/// <param name="Post">Norm after the mixer, or null.</param>
/// <param name="Scale">Factor on what is added.</param>
internal sealed record Block(Norm? Pre, IMixer Mixer, Norm? Post = null, float Scale = 1f)
{
    /// <summary>Factor on the residual before that; 0: what the mixer gives takes its place.</summary>
    public float Kept { get; init; } = 1f;
}
