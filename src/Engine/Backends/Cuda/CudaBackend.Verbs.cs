using KvPrefetch.Engine.Backends.Cuda.Kernels;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Verbs of transformers: one launch each.</summary>
internal sealed unsafe partial class CudaBackend
{
    private readonly Dictionary<RotaryFrequencies, (DeviceBuffer Inverse, DeviceBuffer? Far)> _frequencies = new(ReferenceEqualityComparer.Instance);

    public void Embed(in StepInputs step, Ints ids, Weight table, float scale, Rows output)
    {
        var parameters = new EmbedParams { Table = table.Data.Address, Ids = At(ids), Output = new(output), Columns = table.Columns, Rows = table.Rows, Scale = scale };
        Kernel(CudaKernels.Embed(table.Type)).Launch(_stream, step.TokenCount, 1, 1, parameters);
    }

    public void RmsNorm(Rows x, DeviceBuffer gain, float epsilon, Rows output, int rows, int groups = 1) => RmsNorm(x, null, 1, gain, epsilon, output, rows, groups);

    public void AddRmsNorm(Rows residual, Rows x, float scale, DeviceBuffer gain, float epsilon, Rows output, int rows) => RmsNorm(residual, x, scale, gain, epsilon, output, rows, 1);

    public void LayerNorm(Rows x, DeviceBuffer gain, DeviceBuffer? bias, float epsilon, Rows output, int rows)
    {
        var parameters = new LayerNormParams { X = new(x), Output = new(output), Gain = gain.Address, Bias = bias?.Address ?? 0, Columns = x.Columns, Epsilon = epsilon };
        Kernel(CudaKernels.LayerNorm).Launch(_stream, rows, 1, 1, parameters);
    }

    public void MatchMagnitude(Rows x, Rows reference, float floor, Rows output, int rows)
    {
        var parameters = new MatchMagnitudeParams { X = new(x), Reference = new(reference), Output = new(output), Columns = x.Columns, Floor = floor };
        Kernel(CudaKernels.MatchMagnitude).Launch(_stream, rows, 1, 1, parameters);
    }

    public void CutBelow(Rows x, float deviations, int rows)
    {
        var parameters = new CutBelowParams { X = new(x), Columns = x.Columns, Deviations = deviations };
        Kernel(CudaKernels.CutBelow).Launch(_stream, rows, 1, 1, parameters);
    }

    public void Add(Rows residual, Rows x, float scale, int rows) =>
        Elementwise(0, new ElementwiseParams { X = new(residual), Y = new(x), A = scale, Columns = residual.Columns }, rows);

    public void ScaleAndCap(Rows x, float scale, float cap, int rows) =>
        Elementwise(1, new ElementwiseParams { X = new(x), A = scale, B = cap, Columns = x.Columns }, rows);

    public void AddGated(Rows residual, Rows x, Rows gate, int rows) =>
        Elementwise(2, new ElementwiseParams { X = new(residual), Y = new(x), Z = new(gate), Columns = residual.Columns }, rows);

    public void RotaryTable(in StepInputs step, RotaryFrequencies frequencies, Rows table)
    {
        if (!_frequencies.TryGetValue(frequencies, out var arrays))
        {
            _frequencies[frequencies] = arrays = (Constant("rotary frequencies", frequencies.Inverse), frequencies.Long is { } far ? Constant("rotary frequencies", far.Inverse) : null);
        }

        var parameters = new RotaryTableParams
        {
            Positions = At(step.Positions),
            Lengths = At(step.RotaryLengths),
            Inverse = arrays.Inverse.Address,
            Far = arrays.Far?.Address ?? 0,
            Table = new(table),
            Theta = frequencies.Dynamic?.Theta ?? 0,
            Factor = frequencies.Dynamic?.Factor ?? 1,
            Half = frequencies.Inverse.Length,
            OriginalLength = frequencies.Dynamic?.OriginalLength ?? int.MaxValue,
            FarLength = frequencies.Long?.OriginalLength ?? int.MaxValue,
            Magnitude = frequencies.Magnitude,
        };
        Kernel(CudaKernels.RotaryTable).Launch(_stream, step.TokenCount, 1, 1, parameters);
    }

    public void RotateAndStore(in StepInputs step, int layer, Rows qkv, Rows rotary, RotaryPairs pairs, AttentionShape shape)
    {
        var parameters = new RotateAndStoreParams
        {
            Qkv = new(qkv),
            Rotary = new(rotary),
            Keys = step.Pages.Keys(layer).Address,
            Values = shape.ValuesInKeys > 0 ? 0 : step.Pages.Values(layer).Address,
            Positions = At(step.Positions),
            RowStarts = At(step.RowStarts),
            TableStarts = At(step.TableStarts(layer)),
            Tables = At(step.BlockTables),
            Sequences = step.SequenceCount,
            Heads = shape.Heads,
            KvHeads = shape.KvHeads,
            HeadDim = shape.HeadDim,
            Half = rotary.Columns / 2,
            Neighbours = pairs == RotaryPairs.Neighbours ? 1 : 0,
            PageSize = step.Pages.PageSize,
        };
        Kernel(CudaKernels.RotateAndStore(_options.KvType)).Launch(_stream, step.TokenCount, 1, 1, parameters);
    }

    public void GatedActivation(Rows gateUp, Activation activation, Rows output, int rows) =>
        Activate(1, new ActivateRowsParams { X = new(gateUp), Output = new(output), Activation = new(activation), Columns = output.Columns, Other = output.Columns }, rows);

    public void Activate(Rows x, Activation activation, Rows output, int rows) =>
        Activate(0, new ActivateRowsParams { X = new(x), Output = new(output), Activation = new(activation), Columns = output.Columns }, rows);

    public void Multiply(Rows x, Rows gate, Activation activation, Rows output, int rows) =>
        Activate(2, new ActivateRowsParams { X = new(x), Gate = new(gate), Output = new(output), Activation = new(activation), Columns = x.Columns, Other = x.Columns / gate.Columns }, rows);

    public void GatherRows(Rows x, Ints rowIndexes, Rows output, int count)
    {
        var parameters = new GatherRowsParams { X = new(x), Output = new(output), Indexes = At(rowIndexes), Columns = x.Columns };
        Kernel(CudaKernels.GatherRows).Launch(_stream, count, 1, 1, parameters);
    }

    private void RmsNorm(Rows x, Rows? addend, float scale, DeviceBuffer gain, float epsilon, Rows output, int rows, int groups)
    {
        var parameters = new RmsNormParams
        {
            X = new(x),
            Addend = addend is { } rowsToAdd ? new(rowsToAdd) : default,
            Output = new(output),
            Gain = gain.Address,
            GainStride = groups > 1 && gain.Length == x.Columns ? x.Columns / groups : 0,
            Columns = x.Columns / groups,
            Epsilon = epsilon,
            Scale = scale,
        };
        Kernel(CudaKernels.RmsNorm).Launch(_stream, rows, groups, 1, parameters);
    }

    private void Elementwise(int operation, ElementwiseParams parameters, int rows)
    {
        var kernel = Kernel(CudaKernels.Elementwise(operation));
        kernel.Launch(_stream, rows, Blocks(parameters.Columns, kernel.Spec.Threads), 1, parameters);
    }

    private void Activate(int mode, ActivateRowsParams parameters, int rows)
    {
        var kernel = Kernel(CudaKernels.Activate(mode));
        kernel.Launch(_stream, rows, Blocks(parameters.Columns, kernel.Spec.Threads), 1, parameters);
    }

    private CudaKernel Kernel(KernelSpec spec) => _kernels.Get(spec);

    private static Target TargetOf(Projection projection, int first) =>
        new() { Weights = projection.Matrix.Data.Address, Bias = projection.Bias?.Address ?? 0, First = first, Outputs = projection.Matrix.Rows };

    private static nint At(Ints view) => view.Buffer.Address + (view.Start * sizeof(int));

    private static int Blocks(int items, int each) => (items + each - 1) / each;
}
