using KvPrefetch.Engine.Backends.Cpu.Assembly;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Products whose activations are rounded to bfloat16.</summary>
internal sealed unsafe partial class CpuBackend<TLanes, V>
{
    private readonly Arithmetic _arithmetic;

    /// <summary>Assembled kernels, at most one of the two kinds; null where managed ones serve.</summary>
    private readonly nint* _dots;
    private readonly TileKernels* _tiles;
    private DeviceBuffer _rounded = DeviceBuffer.OnHost(DType.F32, 1);

    /// <summary>True for matrices that tiles serve; it depends on nothing else, so that a row has the same bits in any batch.</summary>
    private bool IsTiled(Weight matrix) => _tiles is not null && matrix is { Packed: null, Format: WeightFormat.AsStored, Type: DType.BF16 } && TileLinearKernel.Serves(matrix.Rows, matrix.Columns);

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
        Kernels = _dots,
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

    private void TileLinear(Rows x, LinearTarget* targets, int targetCount, int outputs, Rows output, int rows)
    {
        var blocks = (rows + TileDot.Tile - 1) / TileDot.Tile;
        Grow(ref _rounded, (long)blocks * TileDot.Tile * x.Columns / 2);
        var pack = new TilePackKernel { X = Floats(x), XStride = x.Stride, Rows = rows, Columns = x.Columns, Output = (ushort*)_rounded.Address };
        Share(ref pack, blocks, 1, (long)rows * x.Columns);
        var job = new TileLinearKernel
        {
            Kernels = _tiles,
            X = pack.Output,
            Output = Floats(output),
            OutputStride = output.Stride,
            Rows = rows,
            Inputs = x.Columns,
            Targets = targets,
            TargetCount = targetCount,
        };
        Share(ref job, outputs, TileLinearKernel.Grain(outputs, Threads), (long)rows * outputs * x.Columns / 8);
    }
}
