using KvPrefetch.Engine.Backends.Cuda.Kernels;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Blocks of a decode step in five launches a layer: norm, rotation, activation and residual belong to the products beside them. Each asks whether linear_small takes it; where it does not, the verbs stand for themselves.</summary>
internal sealed unsafe partial class CudaBackend
{
    /// <summary>What runs between the products keeps 16 bits, so that a product's operands come out of L2 as they are.</summary>
    public bool Folds(in StepInputs step) =>
        _options.Folds && _options.TensorCores && !_options.BatchInvariant && _context.Architecture >= 90 && step.TokenCount == step.SequenceCount && step.TokenCount <= LinearSmall.MaxRows;

    public void Attend(in StepInputs step, NormedRows residual, in AttentionUnit unit)
    {
        var shape = unit.Shape;
        var rows = step.TokenCount;
        int half = unit.Rotary.Columns / 2;
        if (!TargetsOf(unit.Qkv, shape.QkvColumns, out var type, out var qkv, out var count) || !TargetsOf(unit.Output, residual.Rows.Columns, out var outputType, out var output, out var outputCount)
            || type != DType.BF16 || outputType == DType.F32 || _options.Attention != AttentionKernel.Prefetch || !Decodes(step, unit.QkvRows, unit.Mixed, shape) || shape.HeadDim % 8 != 0 || half % 4 != 0
            || Array.Exists(unit.Qkv, p => p.Matrix.Rows % shape.HeadDim != 0))
        {
            Units.Attend(this, step, residual, unit);
            return;
        }

        var rotate = Normed(residual, qkv, count, shape.QkvColumns, rows) with
        {
            Output = new(unit.QkvRows),
            Rotary = new(unit.Rotary),
            Keys = step.Pages.Keys(unit.Layer).Address,
            Values = step.Pages.Values(unit.Layer).Address,
            Positions = At(step.Positions),
            TableStarts = At(step.TableStarts(unit.Layer)),
            Tables = At(step.BlockTables),
            Heads = shape.Heads,
            KvHeads = shape.KvHeads,
            HeadDim = shape.HeadDim,
            Half = half,
            Neighbours = unit.Pairs == RotaryPairs.Neighbours ? 1 : 0,
            PageSize = step.Pages.PageSize,
        };
        var mixed = Sixteen(unit.Mixed);
        var add = Added(residual, mixed, output, outputCount, shape.QueryColumns, rows, unit.Scale);
        var code = outputType == DType.F16 ? 1 : 2;
        var first = new SmallProduct(type, rows, residual.Rows.Columns, SmallMode.Rotate, Normed: true, KvType: _options.KvType);
        var last = new SmallProduct(outputType, rows, shape.QueryColumns, SmallMode.Add, Sixteen: true);
        if (!_small.Takes(first, rotate) || !_small.Takes(last, add))
        {
            Units.Attend(this, step, residual, unit);
            return;
        }

        _small.Launch(first, rotate);
        Decode(step, unit.Layer, unit.QkvRows, mixed, code, shape, single: true);
        _small.Launch(last, add);
    }

    public void FeedForward(NormedRows residual, in GatedUnit unit, int rows)
    {
        var width = unit.Inner.Columns;
        var split = Split(unit.GateUp, width);
        if (split is null || !TargetsOf(unit.Down, residual.Rows.Columns, out var downType, out var down, out var downCount) || split.Value.Type != DType.BF16 || downType != DType.BF16 || width % 8 != 0)
        {
            Units.FeedForward(this, residual, unit, rows);
            return;
        }

        var inner = Sixteen(unit.Inner);
        var gate = Normed(residual, split.Value.Targets, 2, 2 * width, rows) with { Output = inner, Activation = new(unit.Activation) };
        var add = Added(residual, inner, down, downCount, width, rows, unit.Scale);
        var first = new SmallProduct(DType.BF16, rows, residual.Rows.Columns, SmallMode.Gated, Normed: true, Kind: unit.Activation.Kind);
        var last = new SmallProduct(DType.BF16, rows, width, SmallMode.Add, Sixteen: true);
        if (!_small.Takes(first, gate) || !_small.Takes(last, add))
        {
            Units.FeedForward(this, residual, unit, rows);
            return;
        }

        _small.Launch(first, gate);
        _small.Launch(last, add);
    }

    public void NormedLinear(NormedRows x, ReadOnlySpan<Projection> projections, Rows output, int rows)
    {
        if (rows <= LinearSmall.MaxRows && _options.TensorCores && !_options.BatchInvariant && TargetsOf(projections, -1, out var type, out var targets, out var count) && type == DType.BF16)
        {
            var outputs = targets[count - 1].First + targets[count - 1].Outputs;
            var parameters = Normed(x, targets, count, outputs, rows) with { Output = new(output) };
            var product = new SmallProduct(type, rows, x.Rows.Columns, Normed: true);
            if (_small.Takes(product, parameters))
            {
                _small.Launch(product, parameters);
                return;
            }
        }

        Units.NormedLinear(this, x, projections, output, rows);
    }

    /// <summary>A product of few rows, rounded to 16 bits first where float32 rows would not fit; false where the kernel cannot take it.</summary>
    private bool LaunchSmall(Rows x, DType type, Targets targets, int count, int outputs, Rows output, int rows)
    {
        if (!_options.TensorCores || _options.BatchInvariant || rows > LinearSmall.MaxRows)
        {
            return false;
        }

        var parameters = new LinearSmallParams { X = new(x), Output = new(output), Targets = targets, TargetCount = count, Inputs = x.Columns, Outputs = outputs, Rows = rows };
        var product = new SmallProduct(type, rows, x.Columns);
        if (!_small.Takes(product, parameters))
        {
            product = product with { Sixteen = true };
            if (type == DType.F32 || x.Columns % 8 != 0 || !_small.Takes(product, parameters with { X = new(0, x.Columns) }))
            {
                return false;
            }

            parameters.X = new(Convert(x, type, rows), x.Columns);
        }

        _small.Launch(product, parameters);
        return true;
    }

    private static LinearSmallParams Normed(NormedRows x, Targets targets, int count, int outputs, int rows) => new()
    {
        X = new(x.Rows),
        Gain = x.Gain.Address,
        Epsilon = x.Epsilon,
        Targets = targets,
        TargetCount = count,
        Inputs = x.Rows.Columns,
        Outputs = outputs,
        Rows = rows,
    };

    private static LinearSmallParams Added(NormedRows residual, RowsView x, Targets targets, int count, int inputs, int rows, float scale) => new()
    {
        X = x,
        Output = new(residual.Rows),
        Targets = targets,
        TargetCount = count,
        Inputs = inputs,
        Outputs = residual.Rows.Columns,
        Rows = rows,
        Scale = scale,
    };

    /// <summary>Scratch rows, taken as rows of 16 bits.</summary>
    private static RowsView Sixteen(Rows rows) => new(rows.Buffer.Address + (rows.Column * sizeof(float)), rows.Stride);

    /// <summary>Matrices of one type side by side, where they are that and have so many outputs; -1: however many.</summary>
    private static bool TargetsOf(ReadOnlySpan<Projection> projections, int outputs, out DType type, out Targets targets, out int count)
    {
        (type, targets, count) = (projections[0].Matrix.Type, default, 0);
        if (projections.Length > Targets.Count)
        {
            return false;
        }

        var first = 0;
        foreach (var projection in projections)
        {
            if (projection.Matrix.Type != type || projection.Matrix.Packed is not null)
            {
                return false;
            }

            targets[count++] = TargetOf(projection, first);
            first += projection.Matrix.Rows;
        }

        return outputs < 0 || first == outputs;
    }

    /// <summary>gate and up as two matrices, which one may hold.</summary>
    private static (DType Type, Targets Targets)? Split(Projection[] gateUp, int width)
    {
        if (!TargetsOf(gateUp, 2 * width, out var type, out var targets, out var count) || count > 2 || (count == 2 && targets[0].Outputs != width) || type.ByteSize() != 2)
        {
            return null;
        }

        if (count == 1)
        {
            var whole = targets[0];
            targets[0].Outputs = width;
            targets[1] = new Target
            {
                Weights = whole.Weights + (nint)(2L * width * gateUp[0].Matrix.Columns),
                Bias = whole.Bias == 0 ? 0 : whole.Bias + (width * sizeof(float)),
                First = width,
                Outputs = width,
            };
        }

        return (type, targets);
    }
}
