using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>Self-attention over the paged cache: one product for q, k and v side by side, norms of q and k, rotation and store, attention, output product.</summary>
/// <param name="Layer">Index into the KV cache.</param>
/// <param name="Shape">Heads, head size, scale, window.</param>
/// <param name="Rotary">Index of the model's rotary table, or -1 for a layer without positions.</param>
/// <param name="Pairs">Which elements turn together.</param>
/// <param name="Qkv">q, k, v.</param>
/// <param name="Output">Back to the model's width.</param>
internal sealed record Attention(int Layer, AttentionShape Shape, int Rotary, RotaryPairs Pairs, Projection[] Qkv, Projection[] Output) : IMixer
{
    /// <summary>Norms of q and k, or null.</summary>
    public QkNorm? Norm { get; init; }

    /// <summary>Output gate: a sigmoid for each element, or for each head, of a product of its own; or null.</summary>
    public Projection[]? Gate { get; init; }

    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        var qkv = scratch.Qkv.Slice(0, Shape.QkvColumns);
        Rows q = qkv.Slice(0, Shape.QueryColumns), k = qkv.Slice(Shape.QueryColumns, Shape.KeyColumns), mixed = scratch.Mixed.Slice(0, Shape.QueryColumns);
        backend.Linear(x, Qkv, qkv, step.TokenCount);
        var still = scratch.Rotary[0].Slice(0, 0);
        if (Norm is { AfterRotation: false })
        {
            Norm.Forward(backend, q, k, Shape, step.TokenCount);
        }

        backend.RotateAndStore(step, Layer, qkv, Rotary < 0 ? still : scratch.Rotary[Rotary], Pairs, Shape);
        if (Norm is { AfterRotation: true })
        {
            // The pages are to hold the normed keys: they are stored once more, without turning.
            Norm.Forward(backend, q, k, Shape, step.TokenCount);
            backend.RotateAndStore(step, Layer, qkv, still, Pairs, Shape);
        }

        backend.PagedAttention(step, Layer, q, mixed, Shape);
        if (Gate is not null)
        {
            var gate = scratch.Projected.Slice(0, Gate.Sum(p => p.Matrix.Rows));
            backend.Linear(x, Gate, gate, step.TokenCount);
            backend.Multiply(mixed, gate, ActivationKind.Sigmoid, mixed, step.TokenCount);
        }

        backend.Linear(mixed, Output, output, step.TokenCount);
    }
}

/// <summary>RMS norms of q and k.</summary>
/// <param name="Query">Gain of q: <c>[headDim]</c>, or <c>[heads * headDim]</c> when <paramref name="WholeRow"/>.</param>
/// <param name="Key">Gain of k.</param>
/// <param name="Epsilon">Added to the mean square.</param>
/// <param name="WholeRow">All heads together rather than each by itself.</param>
/// <param name="AfterRotation">q and k are turned first.</param>
internal sealed record QkNorm(DeviceBuffer Query, DeviceBuffer Key, float Epsilon, bool WholeRow, bool AfterRotation = false)
{
    public void Forward(IBackend backend, Rows q, Rows k, AttentionShape shape, int rows)
    {
        backend.RmsNorm(q, Query, Epsilon, q, rows, WholeRow ? 1 : shape.Heads);
        backend.RmsNorm(k, Key, Epsilon, k, rows, WholeRow ? 1 : shape.KvHeads);
    }
}
