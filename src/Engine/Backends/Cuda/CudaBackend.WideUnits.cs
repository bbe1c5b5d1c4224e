using KvPrefetch.Engine.Backends.Cuda.Kernels;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Blocks of a decode step with more rows than linear_small takes: products by cuBLASLt, which read what the kernel in front has written in 16 bits and add to the residual themselves.</summary>
internal sealed unsafe partial class CudaBackend
{
    private void AttendWide(in StepInputs step, NormedRows residual, in AttentionUnit unit)
    {
        int rows = step.TokenCount, hidden = residual.Rows.Columns;
        nint normed = Sixteen(residual.Scratch).Data, mixed = Sixteen(unit.Mixed).Data;
        if (_options.Attention != AttentionKernel.Prefetch || !Decodes(step, unit.QkvRows, unit.Mixed, unit.Shape)
            || !Stores(unit.Qkv, normed, hidden, unit.QkvRows, rows, out var qkv, out var count) || !Adds(unit.Output, mixed, unit.Shape.QueryColumns, residual.Rows, rows, out var output))
        {
            Units.Attend(this, step, residual, unit);
            return;
        }

        NormSixteen(residual, normed, rows);
        Multiplied(DType.BF16, normed, qkv, count, hidden, unit.QkvRows, rows);
        RotateAndStore(step, unit.Layer, unit.QkvRows, unit.Rotary, unit.Pairs, unit.Shape);
        Decode(step, unit.Layer, unit.QkvRows, new RowsView(mixed, unit.Shape.QueryColumns), outputType: 2, unit.Shape, single: true);
        _products!.TryMultiply(_stream, DType.BF16, mixed, output, unit.Shape.QueryColumns, new RowsView(residual.Rows), rows, unit.Scale);
    }

    private void FeedForwardWide(NormedRows residual, in GatedUnit unit, int rows)
    {
        int hidden = residual.Rows.Columns, width = unit.Inner.Columns;
        nint normed = Sixteen(residual.Scratch).Data, inner = Sixteen(unit.Inner).Data;
        if (!Stores(unit.GateUp, normed, hidden, unit.GateUpRows, rows, out var gateUp, out var count) || !Adds(unit.Down, inner, width, residual.Rows, rows, out var down))
        {
            Units.FeedForward(this, residual, unit, rows);
            return;
        }

        NormSixteen(residual, normed, rows);
        Multiplied(DType.BF16, normed, gateUp, count, hidden, unit.GateUpRows, rows);
        var activate = Kernel(CudaKernels.Activate(1, DType.BF16));
        activate.Launch(_stream, rows, Blocks(width, activate.Spec.Threads), 1,
            new ActivateRowsParams { X = new(unit.GateUpRows), Output = new RowsView(inner, width), Activation = new(unit.Activation), Columns = width, Other = width });
        _products!.TryMultiply(_stream, DType.BF16, inner, down, width, new RowsView(residual.Rows), rows, unit.Scale);
    }

    private void NormSixteen(NormedRows x, nint output, int rows)
    {
        var columns = x.Rows.Columns;
        var parameters = new RmsNormParams { X = new(x.Rows), Output = new RowsView(output, columns), Gain = x.Gain.Address, Columns = columns, Epsilon = x.Epsilon, Scale = 1 };
        Kernel(CudaKernels.RmsNorm(DType.BF16)).Launch(_stream, rows, 1, 1, parameters);
    }

    /// <summary>Whether cuBLASLt takes these products.</summary>
    private bool Stores(Projection[] projections, nint x, int inputs, Rows output, int rows, out Targets targets, out int count)
    {
        if (!TargetsOf(projections, output.Columns, out var type, out targets, out count) || type != DType.BF16 || _products is null)
        {
            return false;
        }

        var view = new RowsView(output);
        for (var t = 0; t < count; t++)
        {
            if (!_products.Offers(type, x, targets[t], inputs, new RowsView(view.Data + (targets[t].First * sizeof(float)), view.Stride), rows))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether cuBLASLt takes this product to add it: one matrix without bias.</summary>
    private bool Adds(Projection[] projections, nint x, int inputs, Rows output, int rows, out Target target)
    {
        var fits = TargetsOf(projections, output.Columns, out var type, out var targets, out var count) && count == 1 && type == DType.BF16 && targets[0].Bias == 0;
        target = targets[0];
        return fits && _products!.Offers(type, x, target, inputs, new RowsView(output), rows);
    }
}
