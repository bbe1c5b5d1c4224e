using KvPrefetch.Engine.Backends.Cpu.Assembly;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Products whose activations are rounded to bfloat16.</summary>
internal sealed unsafe partial class CpuBackend<TLanes, V>
{
    private readonly Arithmetic _arithmetic;

    /// <summary>Assembled kernels at fixed addresses; null where managed ones serve.</summary>
    private readonly nint* _kernels;
    private DeviceBuffer _rounded = DeviceBuffer.OnHost(DType.F32, 1);

    /// <summary>True for products that the assembled kernels serve.</summary>
    private bool IsAssembled(DType type) => _kernels is not null && type == DType.BF16;

    /// <summary>The rows as float32 of what their bfloat16 would be, where the arithmetic rounds.</summary>
    private Rows Rounded(Rows x, int rows)
    {
        if (_arithmetic == Arithmetic.Exact)
        {
            return x;
        }

        Grow(ref _rounded, (long)rows * x.Columns);
        var job = new RoundKernel { X = Floats(x), XStride = x.Stride, Wide = (float*)_rounded.Address, Columns = x.Columns };
        ShareRows(ref job, rows, x.Columns);
        return new Rows(_rounded, x.Columns, x.Columns);
    }

    private ushort* Shortened(Rows x, int rows)
    {
        Grow(ref _rounded, (long)rows * x.Columns);
        var job = new RoundKernel { X = Floats(x), XStride = x.Stride, Short = (ushort*)_rounded.Address, Columns = x.Columns };
        ShareRows(ref job, rows, x.Columns);
        return job.Short;
    }

    /// <param name="x">Activations.</param>
    /// <param name="output">Their products.</param>
    /// <param name="rows">Rows of both.</param>
    /// <param name="targets">Matrices side by side.</param>
    private AssembledLinearKernel Assembled(Rows x, Rows output, int rows, int targets) => new()
    {
        Kernels = _kernels,
        X = Shortened(x, rows),
        Output = Floats(output),
        OutputStride = output.Stride,
        Rows = rows,
        Inputs = x.Columns,
        TargetCount = targets,
    };

    private void AssembledLinear(Rows x, LinearTarget* targets, int targetCount, int outputs, Rows output, int rows)
    {
        var job = Assembled(x, output, rows, targetCount);
        job.Targets = targets;
        Share(ref job, outputs, AssembledLinearKernel.Grain(rows, x.Columns, outputs, Threads), (long)rows * outputs * x.Columns);
    }
}
