using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using KvPrefetch.Engine.Backends.Cpu.Assembly;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Lays activation rows out for <see cref="TileDot"/>: rounded to bfloat16, in blocks of 16 rows <c>[inputs / 2][16 rows][2]</c>, zeros where a block has fewer rows. An item is a block.</summary>
internal unsafe struct TilePackKernel : IParallelJob
{
    private const int Tile = TileDot.Tile;

    public float* X;
    public long XStride;
    public int Rows;
    public int Columns;
    public ushort* Output;

    public readonly void Run(int from, int end, int thread)
    {
        for (var block = from; block < end; block++)
        {
            var output = Output + ((long)block * Tile * Columns);
            var rows = Math.Min(Tile, Rows - (block * Tile));
            if (rows == 1)
            {
                Single(X + ((long)block * Tile * XStride), (uint*)output);
            }
            else
            {
                Block(X + ((long)block * Tile * XStride), rows, output);
            }
        }
    }

    private readonly void Single(float* x, uint* output)
    {
        new Span<uint>(output, Columns * Tile / 2).Clear();
        for (var k = 0; k < Columns; k += 2)
        {
            output[(long)k * Tile / 2] = FloatFormats.SingleToBFloat16(x[k]) | ((uint)FloatFormats.SingleToBFloat16(x[k + 1]) << 16);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Block(float* x, int rows, ushort* output)
    {
        var step = stackalloc uint[Tile * Tile];    // 16 rows of 16 pairs
        new Span<uint>(step, Tile * Tile).Clear();
        for (var k = 0; k < Columns; k += TileDot.StepInputs)
        {
            for (var row = 0; row < rows; row++)
            {
                var from = x + (row * XStride) + k;
                Vector512.Narrow(Upper(Vector512.Load(from).AsUInt32()), Upper(Vector512.Load(from + Tile).AsUInt32())).Store((ushort*)(step + (row * Tile)));
            }

            Transpose16.Run((float*)step, Tile, (float*)(output + ((long)k * Tile)), Tile);
        }
    }

    /// <summary>As <see cref="FloatFormats.SingleToBFloat16(float)"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Upper(Vector512<uint> bits)
    {
        var upper = bits >> 16;
        var rounded = (bits + Vector512.Create(0x7FFFu) + (upper & Vector512<uint>.One)) >> 16;
        var isNaN = Vector512.GreaterThan(bits & Vector512.Create(0x7FFF_FFFFu), Vector512.Create(0x7F80_0000u));
        return Vector512.ConditionalSelect(isNaN, upper | Vector512.Create(0x40u), rounded);
    }
}

/// <summary>Products by the tiles of AMX: 32 outputs by 32 rows at a time where there are as many. A group of outputs that would go beyond the matrix begins earlier instead and computes some again: to the same bits.</summary>
internal unsafe struct TileLinearKernel : IParallelJob
{
    /// <summary>Outputs claimed at once when many rows share them.</summary>
    private const int PanelOutputs = 128;

    public TileKernels* Kernels;

    /// <summary>Of <see cref="TilePackKernel"/>.</summary>
    public ushort* X;
    public float* Output;
    public long OutputStride;
    public int Rows;
    public int Inputs;

    public LinearTarget* Targets;
    public int TargetCount;

    /// <summary>Matrices that tiles serve.</summary>
    public static bool Serves(int outputs, int inputs) => outputs >= TileDot.Tile && inputs % TileDot.StepInputs == 0;

    /// <summary>Outputs to claim at once.</summary>
    public static int Grain(int outputs, int threads) => Math.Clamp(outputs / (threads * 4) & ~31, 32, PanelOutputs);

    /// <summary>An item is an output, over all targets side by side.</summary>
    public readonly void Run(int from, int end, int thread)
    {
        Kernels->Configure();
        for (var t = 0; t < TargetCount; t++)
        {
            ref readonly var target = ref Targets[t];
            int first = Math.Max(0, from - target.Column), last = Math.Min(target.Outputs, end - target.Column);
            for (var row = 0; row < Rows && first < last; row += 2 * TileDot.Tile)
            {
                Panel(in target, row, first, last);
            }
        }

        Kernels->Release();
    }

    private readonly void Panel(in LinearTarget target, int row, int first, int last)
    {
        const int Tile = TileDot.Tile;
        var pitch = (long)Inputs * sizeof(ushort);
        var rowBlocks = Rows - row > Tile ? 2 : 1;
        var sums = stackalloc float[4 * Tile * Tile];
        var arguments = new TileDotArguments
        {
            WeightsPitch = pitch,
            X = (nint)(X + ((long)row * Inputs)),
            XBlock = Tile * pitch,
            Steps = Inputs / TileDot.StepInputs,
            Sums = (nint)sums,
        };
        while (first < last)
        {
            var groups = last - first > Tile && target.Outputs >= 2 * Tile ? 2 : 1;
            var n = Math.Min(first, target.Outputs - (groups * Tile));
            arguments.Weights = (nint)(target.Weights + (n * pitch));
            Kernels->Product(groups, rowBlocks, &arguments);
            for (var i = 0; i < groups * rowBlocks; i++)
            {
                Write(in target, sums + (i * Tile * Tile), row + (i % rowBlocks * Tile), n + (i / rowBlocks * Tile));
            }

            first = n + (groups * Tile);
        }
    }

    /// <summary>Sixteen outputs of up to sixteen rows, from <c>[outputs][rows]</c>, bias added.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Write(in LinearTarget target, float* sums, int row, int n)
    {
        const int Tile = TileDot.Tile;
        var rows = Math.Min(Tile, Rows - row);
        if (rows == 1)
        {
            var only = Output + (row * OutputStride) + target.Column + n;
            for (var i = 0; i < Tile; i++)
            {
                only[i] = sums[i * Tile] + (target.Bias is null ? 0 : target.Bias[n + i]);
            }

            return;
        }

        Transpose16.Run(sums, Tile, sums, Tile);
        var bias = target.Bias is null ? Vector512<float>.Zero : Vector512.Load(target.Bias + n);
        var output = Output + (row * OutputStride) + target.Column + n;
        for (var m = 0; m < rows; m++)
        {
            (Vector512.Load(sums + (m * Tile)) + bias).Store(output + (m * OutputStride));
        }
    }
}
