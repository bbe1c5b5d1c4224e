using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>Widths of a decoder-only transformer, each the largest of its layers.</summary>
internal sealed record TransformerWidths(int Hidden, int Inner, AttentionShape Attention, IReadOnlyList<int> RotaryDims, int Vocabulary)
{
    /// <summary>Null where no layer has experts.</summary>
    public ExpertWidths? Experts { get; init; }

    /// <summary>Largest projection in front of a recurrent layer, or gate of an attention layer; 0 in a model without.</summary>
    public int Projected { get; init; }

    /// <summary>Largest output of a recurrent layer before its last product.</summary>
    public int Scanned { get; init; }

    /// <summary>Embeddings of all layers side by side; 0 in a model without.</summary>
    public int PerLayer { get; init; }

    /// <summary>All residual streams side by side; 0 where there is one.</summary>
    public int Streams { get; init; }
}

/// <summary>Activations of a decoder-only transformer, allocated once for the largest step.</summary>
internal sealed class TransformerScratch : IDisposable
{
    /// <param name="backend">Where they live.</param>
    /// <param name="tokens">Rows of the largest step.</param>
    /// <param name="samples">Most rows whose logits are wanted in one step.</param>
    /// <param name="widths">Columns.</param>
    public TransformerScratch(IBackend backend, int tokens, int samples, TransformerWidths widths)
    {
        Hidden = backend.AllocateRows(tokens, widths.Hidden);
        Normed = backend.AllocateRows(tokens, widths.Hidden);
        Delta = backend.AllocateRows(tokens, widths.Hidden);
        Second = backend.AllocateRows(tokens, widths.Hidden);
        Rotary = [.. widths.RotaryDims.Select(columns => backend.AllocateRows(tokens, columns))];
        Qkv = backend.AllocateRows(tokens, widths.Attention.QkvColumns);
        Mixed = backend.AllocateRows(tokens, Math.Max(widths.Attention.QueryColumns, widths.Attention.OutputColumns));
        GateUp = backend.AllocateRows(tokens, checked(2 * widths.Inner));
        Inner = backend.AllocateRows(tokens, widths.Inner);
        Projected = backend.AllocateRows(tokens, widths.Projected);
        Scanned = backend.AllocateRows(tokens, widths.Scanned);
        PerLayer = backend.AllocateRows(tokens, widths.PerLayer);
        PerLayerTerm = backend.AllocateRows(tokens, widths.PerLayer);
        Streams = backend.AllocateRows(tokens, widths.Streams);
        Predictions = backend.AllocateRows(tokens, widths.Streams);
        Sampled = backend.AllocateRows(samples, widths.Hidden);
        Logits = backend.AllocateRows(samples, widths.Vocabulary);
        Experts = widths.Experts is null ? null : new ExpertScratch(backend, tokens, widths.Hidden, widths.Experts);
    }

    /// <summary><c>[tokens, hidden]</c>: the residual stream.</summary>
    public Rows Hidden { get; }

    /// <summary><c>[tokens, hidden]</c></summary>
    public Rows Normed { get; }

    /// <summary><c>[tokens, hidden]</c>: what a block adds to the residual stream.</summary>
    public Rows Delta { get; }

    /// <summary><c>[tokens, hidden]</c>: the other half of a parallel block.</summary>
    public Rows Second { get; }

    /// <summary><c>[tokens, rotaryDim]</c> for each kind of positions that the model has; at least one, which may have no columns.</summary>
    public Rows[] Rotary { get; }

    /// <summary><c>[tokens, (heads + 2 * kvHeads) * headDim]</c></summary>
    public Rows Qkv { get; }

    /// <summary><c>[tokens, heads * headDim]</c></summary>
    public Rows Mixed { get; }

    /// <summary><c>[tokens, 2 * inner]</c></summary>
    public Rows GateUp { get; }

    /// <summary><c>[tokens, inner]</c></summary>
    public Rows Inner { get; }

    /// <summary><c>[tokens, n]</c>: what a recurrent layer computes from.</summary>
    public Rows Projected { get; }

    /// <summary><c>[tokens, n]</c>: what it computes.</summary>
    public Rows Scanned { get; }

    /// <summary><c>[tokens, layers * n]</c>: each layer's own embedding.</summary>
    public Rows PerLayer { get; }

    /// <summary><c>[tokens, layers * n]</c></summary>
    public Rows PerLayerTerm { get; }

    /// <summary><c>[tokens, streams * hidden]</c>: residual streams between layers.</summary>
    public Rows Streams { get; }

    /// <summary><c>[tokens, streams * hidden]</c>: residual streams as a layer predicts them.</summary>
    public Rows Predictions { get; }

    /// <summary><c>[samples, hidden]</c></summary>
    public Rows Sampled { get; }

    /// <summary><c>[samples, vocabulary]</c></summary>
    public Rows Logits { get; }

    /// <summary>Null where no layer has experts.</summary>
    public ExpertScratch? Experts { get; }

    public void Dispose()
    {
        Experts?.Dispose();
        foreach (var rows in (ReadOnlySpan<Rows>)[Hidden, Normed, Delta, Second, Qkv, Mixed, GateUp, Inner, Projected, Scanned, PerLayer, PerLayerTerm, Streams, Predictions, Sampled, Logits, .. Rotary])
        {
            rows.Buffer.Dispose();
        }
    }
}
