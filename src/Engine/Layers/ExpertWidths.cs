namespace KvPrefetch.Engine.Layers;

/// <summary>Sizes of a model's experts.</summary>
/// <param name="Count">Experts of a layer.</param>
/// <param name="Chosen">Experts that a token is sent to.</param>
/// <param name="Inner">Inner width of one.</param>
internal sealed record ExpertWidths(int Count, int Chosen, int Inner)
{
    /// <summary>The width that experts work in, where it is not the model's; else 0.</summary>
    public int Latent { get; init; }
}
