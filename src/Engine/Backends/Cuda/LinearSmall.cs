using System.Collections.Concurrent;
using KvPrefetch.Engine.Backends.Cuda.Driver;
using KvPrefetch.Engine.Backends.Cuda.Kernels;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>What linear_small does with a product: the kernel's MODE.</summary>
internal enum SmallMode
{
    Store,
    Add,
    Gated,
    Rotate,
}

/// <summary>A product as linear_small is compiled for it.</summary>
/// <param name="Type">Of the weights: F16 or BF16.</param>
/// <param name="Rows">Rows of activations, at most <see cref="LinearSmall.MaxRows"/>.</param>
/// <param name="Inputs">Columns of the weights.</param>
/// <param name="Mode">What becomes of it.</param>
/// <param name="Normed">Behind an RMS norm.</param>
/// <param name="Sixteen">Activations are of the weights' type, not float32.</param>
/// <param name="KvType">Of the pages, for <see cref="SmallMode.Rotate"/>.</param>
/// <param name="Kind">For <see cref="SmallMode.Gated"/>.</param>
internal readonly record struct SmallProduct(DType Type, int Rows, int Inputs, SmallMode Mode = SmallMode.Store, bool Normed = false, bool Sixteen = false, DType KvType = DType.BF16, ActivationKind Kind = default);

/// <summary>How the kernel uses a multiprocessor.</summary>
/// <param name="Stages">Slots of a warp's ring at most.</param>
/// <param name="Ahead">Slots of them that are filled before the kernel in front has ended.</param>
/// <param name="Chunk">Inputs of a slot at most.</param>
/// <param name="Clock">Slots of a warp on their way at once before that end; 0: all.</param>
internal readonly record struct SmallTuning(int Stages, int Ahead, int Chunk, int Clock = 0)
{
    /// <summary>As measured on an H200 (benchmarks/results/step-h200.md).</summary>
    public static SmallTuning Default => new(3, 3, 512);
}

/// <summary>Products of up to 8 rows with 16-bit weights at the speed of memory: weights are on their way into shared memory before the kernel in front has ended. See linear_small.cu.</summary>
internal sealed class LinearSmall(CudaContext context, KernelCache kernels, CudaStream stream, SmallTuning tuning)
{
    public const int MaxRows = 8;
    private const int Threads = 256;
    private const int Warps = 8;

    private static readonly ConcurrentDictionary<(SmallProduct Product, SmallTuning Tuning, int SharedBytes), (KernelSpec Spec, int SharedBytes, int Chunk)?> Known = new();

    /// <summary>Whether the kernel can take it: where the weights and rows lie, and whether the activations fit into shared memory beside a ring.</summary>
    public bool Takes(in SmallProduct product, LinearSmallParams parameters)
    {
        var each = product.Sixteen ? 8 : 4;
        if (context.Architecture < 90 || product.Type is not (DType.F16 or DType.BF16) || product.Rows is < 1 or > MaxRows || product.Inputs % 8 != 0
            || (parameters.X.Data & 15) != 0 || parameters.X.Stride % each != 0 || (product.Normed && (parameters.Gain & 15) != 0) || Of(product, tuning, context.SharedBytes) is not { } made || !kernels.Has(made.Spec))
        {
            return false;
        }

        for (var t = 0; t < parameters.TargetCount; t++)
        {
            if ((parameters.Targets[t].Weights & 15) != 0)
            {
                return false;
            }
        }

        return true;
    }

    public void Launch(in SmallProduct product, LinearSmallParams parameters)
    {
        var (spec, shared, chunk) = Of(product, tuning, context.SharedBytes)!.Value;
        (parameters.TilesEach, parameters.TilesMore) = Math.DivRem(Tiles(product.Mode, parameters), context.Multiprocessors);
        parameters.Chunks = (product.Inputs + chunk - 1) / chunk;
        parameters.HeadReciprocal = product.Mode == SmallMode.Rotate ? (uint)((0x1_0000_0000 / (parameters.HeadDim / 8)) + 1) : 0;
        kernels.Get(spec).Launch(stream, context.Multiprocessors, 1, 1, parameters, shared);
    }

    /// <summary>The same object for the same variant: a launch should not put one together. Null where it does not fit.</summary>
    public static (KernelSpec Spec, int SharedBytes, int Chunk)? Of(SmallProduct product, SmallTuning tuning, int sharedBytes) => Known.GetOrAdd((product, tuning, sharedBytes), static key => Make(key.Product, key.Tuning, key.SharedBytes));

    private static unsafe (KernelSpec Spec, int SharedBytes, int Chunk)? Make(SmallProduct product, SmallTuning tuning, int whole)
    {
        // Half as much memory and more keeps two blocks of one kernel off a multiprocessor: that would leave another one idle.
        var least = whole / 2;
        var (chunk, split) = Cut(product.Inputs, tuning.Chunk);
        for (var stages = tuning.Stages; stages > 0; stages--)
        {
            var shared = Math.Max(Shared(product, stages, chunk, split), least);
            if (shared <= whole)
            {
                var spec = new KernelSpec("linear_small", sizeof(LinearSmallParams), Threads)
                {
                    Defines =
                    [
                        ("ROWS", Columns(product)), ("ONE", product.Rows == 1 ? 1 : 0), ("KIND", (int)product.Kind), ("STAGES", stages), ("AHEAD", Math.Min(stages, tuning.Ahead)), ("CLOCK", Math.Min(stages, tuning.Clock)), ("CHUNK", chunk), ("SPLIT", split), ("MODE", (int)product.Mode), ("NORM", product.Normed ? 1 : 0),
                        ("X16", product.Sixteen ? 1 : 0), ("KV", product.KvType == DType.F16 ? 1 : 2), ("ELEMENT_F16", product.Type == DType.F16 ? 1 : 0),
                    ],
                    SharedBytes = whole,
                    RegisterBudget = 255,
                    MinArchitecture = 90,
                    Overlaps = true,
                };
                return (spec, shared, chunk);
            }
        }

        return null;
    }

    /// <summary>Inputs of a slot, and warps that share the inputs: all of them where the inputs can be cut into a multiple of 8 equal chunks.</summary>
    private static (int Chunk, int Split) Cut(int inputs, int most)
    {
        for (var split = Warps; split > 1; split /= 2)
        {
            for (var chunk = most; chunk >= Math.Min(most, 192); chunk -= 64)
            {
                if (inputs % chunk == 0 && inputs / chunk % split == 0)
                {
                    return (chunk, split);
                }
            }
        }

        var chunks = (inputs + most - 1) / most;
        return (most, Math.Min(Warps, chunks & -chunks));
    }

    private static int Tiles(SmallMode mode, LinearSmallParams parameters)
    {
        if (mode is SmallMode.Gated or SmallMode.Rotate)
        {
            return mode == SmallMode.Gated ? (parameters.Targets[0].Outputs + 3) / 4 : parameters.Outputs / 8;
        }

        var tiles = 0;
        for (var t = 0; t < parameters.TargetCount; t++)
        {
            tiles += (parameters.Targets[t].Outputs + 7) / 8;
        }

        return tiles;
    }

    private static int Columns(in SmallProduct product) => product.Rows <= 4 ? 4 : 8;

    /// <summary>The kernel's sums: rings, partial sums, squares, places, barriers, activations.</summary>
    private static int Shared(in SmallProduct product, int stages, int chunk, int split)
    {
        var columns = Columns(product);
        var x = product.Sixteen ? 0 : product.Rows * (((product.Inputs + chunk - 1L) / chunk * chunk * 2) + 64);
        var bytes = (8L * Warps * stages * chunk * 2) + (2 * 4 * split * 8 * columns * 4) + (Warps * columns * 4) + (columns * 16) + (((Warps * stages * 8) + 127) / 128 * 128) + x;
        return (int)Math.Min(bytes, int.MaxValue);
    }
}
