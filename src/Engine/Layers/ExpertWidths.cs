namespace KvPrefetch.Engine.Layers;

/// <summary>Sizes of a model's experts.</summary>
/// <param name="Count">Experts of a layer.</param>
/// <param name="Chosen">Experts that a token is sent to.</param>
/// <param name="Inner">Inner width of one.</param>
internal sealed record ExpertWidths(int Count, int Chosen, int Inner);
