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
    public IQkNorm? Norm { get; init; }

    /// <summary>Output gate: a sigmoid for each element, or for each head, of a product of its own; or null.</summary>
    public Projection[]? Gate { get; init; }

    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        var qkv = scratch.Qkv.Slice(0, Shape.QkvColumns);
        Rows q = qkv.Slice(0, Shape.QueryColumns), mixed = scratch.Mixed.Slice(0, Shape.QueryColumns);
        backend.Linear(x, Qkv, qkv, step.TokenCount);
        var still = scratch.Rotary[0].Slice(0, 0);
        if (Norm is { AfterRotation: false })
        {
            Norm.Forward(backend, qkv, Shape, step.TokenCount);
        }

        backend.RotateAndStore(step, Layer, qkv, Rotary < 0 ? still : scratch.Rotary[Rotary], Pairs, Shape);
        if (Norm is { AfterRotation: true })
        {
            // The pages are to hold the normed keys: they are stored once more, without turning.
            Norm.Forward(backend, qkv, Shape, step.TokenCount);
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

    public bool TryFold(IBackend backend, in StepInputs step, TransformerScratch scratch, NormedRows residual, float scale)
    {
        if (Norm is not null || Gate is not null || Shape.ValuesInKeys > 0)
        {
            return false;
        }

        var rotary = Rotary < 0 ? scratch.Rotary[0].Slice(0, 0) : scratch.Rotary[Rotary];
        backend.Attend(step, residual, new AttentionUnit(Layer, Shape, Qkv, rotary, Pairs, Output, scale, scratch.Qkv.Slice(0, Shape.QkvColumns), scratch.Mixed.Slice(0, Shape.QueryColumns)));
        return true;
    }
}

/// <summary>Normalisation of q and k, which stand side by side with v.</summary>
internal interface IQkNorm
{
    /// <summary>q and k are turned first.</summary>
    bool AfterRotation { get; }

    /// <param name="backend">Where they live.</param>
    /// <param name="qkv">q, k and v side by side.</param>
    /// <param name="shape">Their sizes.</param>
    /// <param name="rows">Tokens.</param>
    void Forward(IBackend backend, Rows qkv, AttentionShape shape, int rows);
}

/// <summary>Layer norms of every head of q and k by itself.</summary>
/// <param name="Query">For each head of q; one serves all.</param>
/// <param name="Key">For each head of k; one serves all.</param>
internal sealed record HeadLayerNorms(Norm[] Query, Norm[] Key) : IQkNorm
{
    public bool AfterRotation => false;

    public void Forward(IBackend backend, Rows qkv, AttentionShape shape, int rows)
    {
        for (var head = 0; head < shape.Heads + shape.KvHeads; head++)
        {
            var x = qkv.Slice(head * shape.HeadDim, shape.HeadDim);
            var norm = head < shape.Heads ? Query[head % Query.Length] : Key[(head - shape.Heads) % Key.Length];
            norm.Forward(backend, x, x, rows);
        }
    }
}

/// <summary>RMS norms of q and k.</summary>
/// <param name="Query">Gain of q: <c>[headDim]</c>, or <c>[heads * headDim]</c> when <paramref name="WholeRow"/>.</param>
/// <param name="Key">Gain of k.</param>
/// <param name="Epsilon">Added to the mean square.</param>
/// <param name="WholeRow">All heads together rather than each by itself.</param>
/// <param name="AfterRotation">q and k are turned first.</param>
internal sealed record QkNorm(DeviceBuffer Query, DeviceBuffer Key, float Epsilon, bool WholeRow, bool AfterRotation = false) : IQkNorm
{
    /// <summary>Gain of v, <c>[headDim]</c>, where that is normed too, each head by itself.</summary>
    public DeviceBuffer? Value { get; init; }

    public void Forward(IBackend backend, Rows qkv, AttentionShape shape, int rows)
    {
        Rows q = qkv.Slice(0, shape.QueryColumns), k = qkv.Slice(shape.QueryColumns, shape.KeyColumns);
        backend.RmsNorm(q, Query, Epsilon, q, rows, WholeRow ? 1 : shape.Heads);
        backend.RmsNorm(k, Key, Epsilon, k, rows, WholeRow ? 1 : shape.KvHeads);
        if (Value is not null)
        {
            var v = qkv.Slice(shape.QueryColumns + shape.KeyColumns, shape.KeyColumns);
            backend.RmsNorm(v, Value, Epsilon, v, rows, shape.KvHeads);
        }
    }
}

/// <summary>Attention of a layer that has queries alone, over the keys and values of an earlier layer.</summary>
/// <param name="Layer">Index of that layer in the KV cache.</param>
/// <param name="Shape">Heads, head size, scale, window.</param>
/// <param name="Rotary">Index of the model's rotary table.</param>
/// <param name="Pairs">Which elements turn together.</param>
/// <param name="Query">q.</param>
/// <param name="Gain">Of the norm of every query head, <c>[headDim]</c>.</param>
/// <param name="Epsilon">Of that norm.</param>
/// <param name="Output">Back to the model's width.</param>
internal sealed record QueryAttention(int Layer, AttentionShape Shape, int Rotary, RotaryPairs Pairs, Projection[] Query, DeviceBuffer Gain, float Epsilon, Projection[] Output) : IMixer
{
    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        Rows q = scratch.Qkv.Slice(0, Shape.QueryColumns), mixed = scratch.Mixed.Slice(0, Shape.QueryColumns);
        backend.Linear(x, Query, q, step.TokenCount);
        backend.RmsNorm(q, Gain, Epsilon, q, step.TokenCount, Shape.Heads);
        backend.RotateAndStore(step, Layer, q, scratch.Rotary[Rotary], Pairs, Shape with { KvHeads = 0 });
        backend.PagedAttention(step, Layer, q, mixed, Shape);
        backend.Linear(mixed, Output, output, step.TokenCount);
    }
}
