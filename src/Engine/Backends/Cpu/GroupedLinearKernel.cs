using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using KvPrefetch.Engine.Backends.Cpu.Assembly;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>One matrix of a <see cref="GroupedLinearKernel"/> call.</summary>
/// <param name="weights">Panels of <see cref="GroupedLayout"/>.</param>
/// <param name="bias"><c>[outputs]</c> or null.</param>
/// <param name="outputs">Rows of the matrix.</param>
/// <param name="column">First column of this matrix's outputs.</param>
/// <param name="panel">Its first panel among those of all matrices.</param>
internal readonly unsafe struct GroupedTarget(byte* weights, float* bias, int outputs, int column, int panel)
{
    public readonly byte* Weights = weights;
    public readonly float* Bias = bias;
    public readonly int Outputs = outputs;
    public readonly int Column = column;
    public readonly int Panel = panel;
}

/// <summary>Products with quantised weights, by tiles where rows are many, else by vectors; arithmetic is that of <see cref="GroupedDot"/> in all of them. An item is a panel, over all targets side by side.</summary>
internal unsafe struct GroupedLinearKernel : IExpertProduct<GroupedTarget>
{
    private const int Block = GroupedRowsKernel.Block;

    /// <summary>Weights claimed at once when few rows share them; small, so that all threads end together.</summary>
    private const int FewRowsBytes = 48 * 1024;

    /// <summary>Weights claimed at once when many rows share them: they stay in the second-level cache.</summary>
    private const int ManyRowsBytes = 256 * 1024;

    /// <summary>From so many rows of a block a product of tiles, which always does 16, is the faster one; four bits have to be unpacked for it, which more rows must share.</summary>
    private const int RowsForTiles = 9, RowsToUnpackFor = 24;

    /// <summary>See <see cref="AssembledKernels.GroupedDots"/>; null: managed ones.</summary>
    public nint* Dots;

    /// <summary>See <see cref="AssembledKernels.GroupedTiles"/>; or null.</summary>
    public GroupedTileKernels* Tiles;

    /// <summary>Of <see cref="GroupedRowsKernel"/>, with codes of 16 bits for managed kernels.</summary>
    public byte* X;
    public float* Output;
    public long OutputStride;

    /// <summary>First row and how many.</summary>
    public int Row;
    public int Rows;
    public int Inputs;
    public WeightFormat Format;
    public GroupedTarget* Targets;
    public int TargetCount;

    /// <summary>Bits of vectors in managed kernels.</summary>
    public int VectorBits;

    /// <summary>For each thread <see cref="ScratchBytes"/>, aligned to 64 bytes.</summary>
    public byte* Scratch;

    readonly int IExpertProduct<GroupedTarget>.TargetCount => TargetCount;

    /// <summary>Sums of tiles, results of a panel that goes beyond the matrix, and codes of a panel as bytes.</summary>
    public static long ScratchBytes(int inputs) => (2 * 1024) + (Block * GroupedLayout.Outputs * sizeof(float)) + ((long)GroupedLayout.Groups(inputs) * GroupedLayout.CodeBytes(WeightFormat.Int8));

    /// <summary>Panels to claim at once.</summary>
    public static int Grain(int rows, int inputs, WeightFormat format, int panels, int threads)
    {
        var fit = (rows < RowsForTiles ? FewRowsBytes : ManyRowsBytes) / GroupedLayout.PanelBytes(format, inputs);
        return (int)Math.Clamp(panels / (threads * 4), 1, Math.Max(1, fit));
    }

    public void Take(int place, int rows, GroupedTarget* targets)
    {
        Row = place;
        Rows = rows;
        Targets = targets;
    }

    public readonly void Run(int from, int end, int thread)
    {
        var scratch = Scratch + (thread * ScratchBytes(Inputs));
        var tiled = Tiles is not null && Rows >= (Format == WeightFormat.Int4 ? RowsToUnpackFor : RowsForTiles);
        if (tiled)
        {
            Tiles->Configure();
        }

        for (var t = 0; t < TargetCount; t++)
        {
            ref readonly var target = ref Targets[t];
            int first = Math.Max(0, from - target.Panel), last = Math.Min(GroupedLayout.Panels(target.Outputs), end - target.Panel);
            if (first < last)
            {
                Panels(in target, first, last, scratch, tiled);
            }
        }

        if (tiled)
        {
            Tiles->Release();
        }
    }

    private readonly void Panels(in GroupedTarget target, int first, int last, byte* scratch, bool tiled)
    {
        var groups = GroupedLayout.Groups(Inputs);
        var panelBytes = GroupedLayout.PanelBytes(Format, Inputs);
        long codeBytes = (long)groups * GroupedLayout.CodeBytes(Format);
        var bytes = scratch + (2 * 1024) + (Block * GroupedLayout.Outputs * sizeof(float));
        var unpacks = tiled && Format == WeightFormat.Int4;
        for (var p = first; p < last;)
        {
            // Whole panels together, unless each has to be unpacked; one that goes beyond the matrix by itself.
            var whole = Math.Min(last, target.Outputs / GroupedLayout.Outputs);
            var count = unpacks || p >= whole ? 1 : whole - p;
            var weights = target.Weights + (p * panelBytes);
            var arguments = new GroupedDotArguments
            {
                Codes = (nint)weights,
                CodesPitch = panelBytes,
                Factors = (nint)(weights + codeBytes),
                FactorsPitch = panelBytes,
                Groups = groups,
                Panels = count,
                Scratch = (nint)scratch,
            };
            if (unpacks)
            {
                Unpack(weights, bytes, groups);
            }

            for (var row = Row; row < Row + Rows;)
            {
                var rows = Math.Min(Block - (row % Block), Row + Rows - row);
                if (tiled && rows >= RowsForTiles)
                {
                    var tile = arguments;
                    tile.Codes = unpacks ? (nint)bytes : tile.Codes;
                    ByTiles(in target, tile, row, rows, p, p < whole);
                }
                else
                {
                    ByVectors(in target, arguments, row, rows, p, p < whole);
                }

                row += rows;
            }

            p += count;
        }

        AddBias(in target, first * GroupedLayout.Outputs, Math.Min(target.Outputs, last * GroupedLayout.Outputs));
    }

    private readonly void ByTiles(in GroupedTarget target, GroupedDotArguments arguments, int row, int rows, int panel, bool whole)
    {
        var record = X + ((long)(row / Block) * arguments.Groups * GroupedRowsKernel.RecordBytes(wide: false));
        arguments.X = (nint)record;
        arguments.XFactors = (nint)(record + (Block * GroupedRowsKernel.CodeBytes(wide: false)));
        if (whole && rows == Block)
        {
            arguments.Output = (nint)At(in target, row, panel);
            arguments.OutputPitch = OutputStride * sizeof(float);
            Tiles->Product(Format == WeightFormat.Int4, &arguments);
            return;
        }

        // Rows of others, or outputs that are none: by way of the scratch, panel by panel.
        var left = arguments.Panels;
        for (var p = 0; p < left; p++)
        {
            var one = arguments;
            one.Panels = 1;
            one.Codes += (nint)(p * arguments.CodesPitch);
            one.Factors += (nint)(p * arguments.FactorsPitch);
            one.Output = one.Scratch + (2 * 1024);
            one.OutputPitch = GroupedLayout.Outputs * sizeof(float);
            var results = (float*)one.Output;
            Tiles->Product(Format == WeightFormat.Int4, &one);
            Copy(in target, results + (row % Block * GroupedLayout.Outputs), row, rows, panel + p);
        }
    }

    private readonly void ByVectors(in GroupedTarget target, GroupedDotArguments arguments, int row, int rows, int panel, bool whole)
    {
        var wide = Dots is null;
        var step = wide ? GroupedDot.MaxRows : AssembledKernels.GroupedDotRows;
        for (var done = 0; done < rows; done += step)
        {
            int r = row + done, count = Math.Min(step, rows - done);
            var record = X + ((long)(r / Block) * arguments.Groups * GroupedRowsKernel.RecordBytes(wide));
            var call = arguments;
            call.X = (nint)(record + (r % Block * GroupedRowsKernel.CodeBytes(wide)));
            call.XFactors = (nint)(record + (Block * GroupedRowsKernel.CodeBytes(wide)) + (r % Block * sizeof(float)));
            call.Output = whole ? (nint)At(in target, r, panel) : call.Scratch + (2 * 1024);
            call.OutputPitch = (whole ? OutputStride : GroupedLayout.Outputs) * sizeof(float);
            var results = (float*)call.Output;
            if (!wide)
            {
                ((delegate* unmanaged[SuppressGCTransition]<GroupedDotArguments*, void>)Dots[AssembledKernels.GroupedDotIndex(count, Format == WeightFormat.Int4)])(&call);
            }
            else if (VectorBits == 512 && Avx512BW.IsSupported)
            {
                GroupedDot.Run<GroupLanes512, Vector512<int>, Vector512<float>>(Format, count, &call);
            }
            else if (VectorBits == 256 && Avx2.IsSupported)
            {
                GroupedDot.Run<GroupLanes256, Vector256<int>, Vector256<float>>(Format, count, &call);
            }
            else
            {
                GroupedDot.Run<GroupLanes128, Vector128<int>, Vector128<float>>(Format, count, &call);
            }

            if (!whole)
            {
                Copy(in target, results, r, count, panel);
            }
        }
    }

    private readonly float* At(in GroupedTarget target, int row, int panel) => Output + (row * OutputStride) + target.Column + ((long)panel * GroupedLayout.Outputs);

    private readonly void Copy(in GroupedTarget target, float* results, int row, int rows, int panel)
    {
        var outputs = Math.Min(GroupedLayout.Outputs, target.Outputs - (panel * GroupedLayout.Outputs));
        for (var r = 0; r < rows; r++)
        {
            new ReadOnlySpan<float>(results + (r * GroupedLayout.Outputs), outputs).CopyTo(new Span<float>(At(in target, row + r, panel), outputs));
        }
    }

    private readonly void AddBias(in GroupedTarget target, int first, int last)
    {
        for (var row = Row; row < Row + Rows && target.Bias is not null; row++)
        {
            var output = Output + (row * OutputStride) + target.Column;
            for (var n = first; n < last; n++)
            {
                output[n] += target.Bias[n];
            }
        }
    }

    /// <summary>Codes of four bits as bytes, in the order of codes of eight.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Unpack(byte* codes, byte* bytes, int groups)
    {
        var mask = Vector256.Create((byte)0x0F);
        for (var g = 0; g < groups; g++, codes += 256, bytes += 512)
        {
            for (var i = 0; i < 256; i += 32)
            {
                var both = Vector256.Load(codes + i);
                (both & mask).Store(bytes + i);
                ((both.AsUInt16() >>> 4).AsByte() & mask).Store(bytes + 256 + i);
            }
        }
    }
}
