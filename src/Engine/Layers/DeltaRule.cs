using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>Gated delta rule: one product gives q, k, v, gate, betas and decays; short convolution over q, k and v; delta rule; norm and gate; product back.</summary>
/// <param name="State">Index of the convolution's state; that of the delta rule is the next.</param>
/// <param name="Shape">Of the delta rule.</param>
/// <param name="Input">q | k | v | gate | betas | decays.</param>
/// <param name="Kernel"><c>[q | k | v, width]</c></param>
/// <param name="Weights">Of the delta rule.</param>
/// <param name="Norm">Of a head's output, and its gate.</param>
/// <param name="Output">Back to the model's width.</param>
internal sealed record DeltaRule(int State, DeltaShape Shape, Projection[] Input, DeviceBuffer Kernel, DeltaWeights Weights, GateNorm Norm, Projection[] Output) : IMixer
{
    /// <summary>Columns of the first product.</summary>
    public static int InputColumns(DeltaShape shape) => shape.QkvColumns + shape.ValueColumns + (2 * shape.ValueHeads);

    /// <summary>Elements of the two states.</summary>
    public static int[] States(DeltaShape shape, int width) => [(width - 1) * shape.QkvColumns, shape.StateElements];

    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        int values = Shape.ValueColumns, heads = Shape.ValueHeads;
        Rows all = scratch.Projected.Slice(0, InputColumns(Shape)), qkv = all.Slice(0, Shape.QkvColumns), mixed = scratch.Scanned.Slice(0, values);
        Rows gate = all.Slice(qkv.Columns, values), betas = all.Slice(qkv.Columns + values, heads), decays = all.Slice(qkv.Columns + values + heads, heads);
        backend.Linear(x, Input, all, step.TokenCount);
        backend.ShortConvolution(step, State, qkv, Kernel, bias: null, ActivationKind.Silu, qkv);
        backend.GatedDelta(step, State + 1, qkv, betas, decays, Weights, Shape, mixed);
        Norm.Forward(backend, mixed, gate, step.TokenCount);
        backend.Linear(mixed, Output, output, step.TokenCount);
    }
}
