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
    /// <summary>From short forms of gate and decays, which the first product gives then, to gate and to a decay for each row of the state; or null.</summary>
    public (Projection[] Gate, Projection[] Decays)? Up { get; init; }

    /// <summary>Columns of the first product, and of gate and decays where it gives their short forms.</summary>
    /// <param name="shape">Of the delta rule.</param>
    /// <param name="shortForm">Columns of a short form; 0: there is none.</param>
    public static int InputColumns(DeltaShape shape, int shortForm = 0) => shape.QkvColumns + shape.ValueColumns + shape.ValueHeads
        + (shortForm == 0 ? shape.ValueHeads : (2 * shortForm) + (shape.ValueHeads * shape.KeyDim));

    /// <summary>Elements of the two states.</summary>
    public static int[] States(DeltaShape shape, int width) => [(width - 1) * shape.QkvColumns, shape.StateElements];

    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        int values = Shape.ValueColumns, heads = Shape.ValueHeads, rows = step.TokenCount;
        int shortForm = Up?.Gate[0].Matrix.Columns ?? 0, first = Shape.QkvColumns + heads + (Up is null ? values + heads : 2 * shortForm);
        Rows all = scratch.Projected.Slice(0, InputColumns(Shape, shortForm)), qkv = all.Slice(0, Shape.QkvColumns), mixed = scratch.Scanned.Slice(0, values);
        Rows gate = all.Slice(qkv.Columns, Up is null ? values : shortForm), betas = all.Slice(qkv.Columns + gate.Columns, heads), decays = all.Slice(qkv.Columns + gate.Columns + heads, Up is null ? heads : shortForm);
        backend.Linear(x, Input, all.Slice(0, first), rows);
        if (Up is { } up)
        {
            Rows longGate = all.Slice(first, values), longDecays = all.Slice(first + values, heads * Shape.KeyDim);
            backend.Linear(gate, up.Gate, longGate, rows);
            backend.Linear(decays, up.Decays, longDecays, rows);
            (gate, decays) = (longGate, longDecays);
        }

        backend.ShortConvolution(step, State, qkv, Kernel, bias: null, ActivationKind.Silu, qkv);
        backend.GatedDelta(step, State + 1, qkv, betas, decays, Weights, Shape, mixed);
        Norm.Forward(backend, mixed, gate, rows);
        backend.Linear(mixed, Output, output, rows);
    }
}
