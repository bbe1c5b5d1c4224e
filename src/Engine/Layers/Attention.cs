using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>Self-attention over the paged cache: one product for q, k and v side by side, rotation and store, attention, output product.</summary>
/// <param name="Layer">Index into the KV cache.</param>
/// <param name="Shape">Heads, head size, scale.</param>
/// <param name="Qkv">q, k, v.</param>
/// <param name="Output">Back to the model's width.</param>
internal sealed record Attention(int Layer, AttentionShape Shape, Projection[] Qkv, Projection[] Output)
{
    /// <param name="backend">Where it runs.</param>
    /// <param name="step">The step.</param>
    /// <param name="x"><c>[tokens, hidden]</c></param>
    /// <param name="rotary"><c>[tokens, rotaryDim]</c></param>
    /// <param name="qkv">Scratch <c>[tokens, (heads + 2 * kvHeads) * headDim]</c></param>
    /// <param name="mixed">Scratch <c>[tokens, heads * headDim]</c></param>
    /// <param name="output"><c>[tokens, hidden]</c></param>
    public void Forward(IBackend backend, in StepInputs step, Rows x, Rows rotary, Rows qkv, Rows mixed, Rows output)
    {
        backend.Linear(x, Qkv, qkv, step.TokenCount);
        backend.RotateAndStore(step, Layer, qkv, rotary, Shape);
        backend.PagedAttention(step, Layer, qkv.Slice(0, Shape.QueryColumns), mixed, Shape);
        backend.Linear(mixed, Output, output, step.TokenCount);
    }
}
