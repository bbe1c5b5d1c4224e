using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>Mamba 2: one product gives gate, x, B, C and steps; short convolution over x, B and C; selective scan; gate and norm; product back.</summary>
/// <param name="State">Index of the convolution's state; that of the scan is the next.</param>
/// <param name="Shape">Of the scan.</param>
/// <param name="Input">gate | x | B | C | steps.</param>
/// <param name="Convolution">Kernel <c>[x | B | C, width]</c> and bias, which may be null.</param>
/// <param name="Weights">Of the scan.</param>
/// <param name="Norm">Norm of the gated output, or null.</param>
/// <param name="Output">Back to the model's width.</param>
internal sealed record StateSpace(int State, ScanShape Shape, Projection[] Input, (DeviceBuffer Kernel, DeviceBuffer? Bias) Convolution, ScanWeights Weights, GateNorm? Norm, Projection[] Output) : IMixer
{
    /// <summary>Factors on gate, x, B, C and steps behind the first product; null for none.</summary>
    public float[]? Scales { get; init; }

    /// <summary>Columns of the first product.</summary>
    public static int InputColumns(ScanShape shape) => shape.Columns + shape.XbcColumns + shape.Heads;

    /// <summary>Elements of the two states.</summary>
    public static int[] States(ScanShape shape, int width) => [(width - 1) * shape.XbcColumns, shape.StateElements];

    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        var all = scratch.Projected.Slice(0, InputColumns(Shape));
        Rows gate = all.Slice(0, Shape.Columns), xbc = all.Slice(Shape.Columns, Shape.XbcColumns), steps = all.Slice(Shape.Columns + Shape.XbcColumns, Shape.Heads);
        var scanned = scratch.Scanned.Slice(0, Shape.Columns);
        backend.Linear(x, Input, all, step.TokenCount);
        Scale(backend, all, step.TokenCount);
        backend.ShortConvolution(step, State, xbc, Convolution.Kernel, Convolution.Bias, ActivationKind.Silu, xbc);
        backend.SelectiveScan(step, State + 1, xbc, steps, Weights, Shape, scanned);
        if (Norm is null)
        {
            backend.Multiply(scanned, gate, ActivationKind.Silu, scanned, step.TokenCount);
        }
        else
        {
            Norm.Forward(backend, scanned, gate, step.TokenCount);
        }

        backend.Linear(scanned, Output, output, step.TokenCount);
    }

    private void Scale(IBackend backend, Rows all, int rows)
    {
        int[] columns = [Shape.Columns, Shape.Columns, Shape.GroupColumns, Shape.GroupColumns, Shape.Heads];
        var column = 0;
        for (var i = 0; Scales is not null && i < columns.Length; column += columns[i++])
        {
            if (Scales[i] != 1)
            {
                backend.ScaleAndCap(all.Slice(column, columns[i]), Scales[i], 0, rows);
            }
        }
    }
}

/// <summary>RMS norm of what a recurrent layer gives, and its gate: <c>norm(x) * activation(gate)</c>, or <c>norm(x * activation(gate))</c>.</summary>
/// <param name="Gain">As long as a part, or as a row.</param>
/// <param name="Epsilon">Added to the mean square.</param>
/// <param name="Groups">Parts of a row, each normalised by itself.</param>
/// <param name="GateFirst">The norm comes behind the gate.</param>
/// <param name="Activation">Of the gate.</param>
internal sealed record GateNorm(DeviceBuffer Gain, float Epsilon, int Groups, bool GateFirst, ActivationKind Activation = ActivationKind.Silu)
{
    /// <summary>In place.</summary>
    public void Forward(IBackend backend, Rows x, Rows gate, int rows)
    {
        if (GateFirst)
        {
            backend.Multiply(x, gate, Activation, x, rows);
        }

        backend.RmsNorm(x, Gain, Epsilon, x, rows, Groups);
        if (!GateFirst)
        {
            backend.Multiply(x, gate, Activation, x, rows);
        }
    }
}
