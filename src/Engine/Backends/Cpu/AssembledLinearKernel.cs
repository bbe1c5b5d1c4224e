using KvPrefetch.Engine.Backends.Cpu.Assembly;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Products of bfloat16 activations with bfloat16 weights by the kernels of <see cref="Bf16Dot"/>: tiles of up to six rows and four outputs along a panel of weights,
/// eight outputs for a single row. Every tile gives an output the same bits.</summary>
internal unsafe struct AssembledLinearKernel : IExpertProduct<LinearTarget>
{
    /// <summary>Outputs claimed at once when many rows share them.</summary>
    private const int ManyRowsPanelOutputs = 128;

    /// <summary>Weights claimed at once when few rows share them; small, so that all threads end together.</summary>
    private const int FewRowsPanelBytes = 48 * 1024;

    /// <summary>See <see cref="AssembledKernels.Dots"/>.</summary>
    public nint* Kernels;

    /// <summary><c>[rows, inputs]</c></summary>
    public ushort* X;
    public float* Output;
    public long OutputStride;
    public int Rows;
    public int Inputs;

    public LinearTarget* Targets;
    public int TargetCount;

    readonly int IExpertProduct<LinearTarget>.TargetCount => TargetCount;

    /// <summary>Outputs to claim at once.</summary>
    public static int Grain(int rows, int inputs, int outputs, int threads) => rows <= Bf16Dot.MaxRows
        ? Math.Max(8, FewRowsPanelBytes / (inputs * sizeof(ushort)) & ~7)
        : Math.Min(ManyRowsPanelOutputs, Math.Max(8, outputs / (threads * 2) & ~7));

    public void Take(int place, int rows, LinearTarget* targets)
    {
        X += (long)place * Inputs;
        Output += place * OutputStride;
        Rows = rows;
        Targets = targets;
    }

    /// <summary>An item is an output, over all targets side by side.</summary>
    public readonly void Run(int from, int end, int thread)
    {
        for (var t = 0; t < TargetCount; t++)
        {
            ref readonly var target = ref Targets[t];
            int first = Math.Max(0, from - target.Column), last = Math.Min(target.Outputs, end - target.Column);
            for (var row = 0; row < Rows && first < last; row += Bf16Dot.MaxRows)
            {
                Tiles(in target, row, Math.Min(Bf16Dot.MaxRows, Rows - row), first, last);
            }
        }
    }

    private readonly void Tiles(in LinearTarget target, int row, int rows, int first, int last)
    {
        var pitch = (long)Inputs * sizeof(ushort);
        var arguments = new Bf16DotArguments
        {
            X = (nint)(X + ((long)row * Inputs)),
            XPitch = pitch,
            Weights = (nint)(target.Weights + (first * pitch)),
            WeightsPitch = pitch,
            Output = (nint)(Output + (row * OutputStride) + target.Column + first),
            OutputPitch = OutputStride * sizeof(float),
            Bias = target.Bias is null ? 0 : (nint)(target.Bias + first),
            Inputs = Inputs,
        };
        var left = last - first;
        for (var width = rows == 1 ? 8 : 4; left > 0; width = width == 8 ? 4 : 1)
        {
            arguments.Groups = left / width;
            if (arguments.Groups > 0)
            {
                ((delegate* unmanaged[SuppressGCTransition]<Bf16DotArguments*, void>)Kernels[AssembledKernels.DotIndex(rows, width)])(&arguments);
                arguments.Weights += (nint)(arguments.Groups * width * pitch);
                left -= (int)arguments.Groups * width;
            }
        }
    }
}
