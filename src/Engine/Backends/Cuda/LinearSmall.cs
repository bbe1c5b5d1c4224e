using System.Collections.Concurrent;
using KvPrefetch.Engine.Backends.Cuda.Driver;
using KvPrefetch.Engine.Backends.Cuda.Kernels;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Products of up to 8 rows with 16-bit weights at the speed of memory: weights are on their way into shared memory before the kernel in front has ended. See linear_small.cu.</summary>
internal static class LinearSmall
{
    public const int MaxRows = 8;

    private static readonly ConcurrentDictionary<(DType Type, int Columns, bool One, int Stages, int SharedBytes), KernelSpec> Known = new();

    private const int Threads = 256;
    private const int Chunk = 512;
    private const int SlotBytes = 8 * ((Chunk * 2) + 64);

    /// <summary>Whether the kernel can take it: where the weights and rows lie, and whether the activations fit into shared memory beside a ring.</summary>
    public static bool Takes(CudaContext context, DType type, LinearParams parameters)
    {
        if (context.Architecture < 90 || type is not (DType.F16 or DType.BF16) || parameters.Rows is < 1 or > MaxRows || parameters.Inputs % 8 != 0
            || (parameters.X.Data & 15) != 0 || parameters.X.Stride % 4 != 0 || Stages(context.SharedBytes, parameters.Rows, parameters.Inputs) == 0)
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

    /// <summary>The same object for the same variant: a launch should not put one together.</summary>
    public static KernelSpec Spec(DType type, int rows, int stages, int sharedBytes) => Known.GetOrAdd((type, rows <= 4 ? 4 : 8, rows == 1, stages, sharedBytes), static key => Make(key));

    public static void Launch(CudaContext context, KernelCache kernels, CudaStream stream, DType type, LinearParams parameters)
    {
        var stages = Stages(context.SharedBytes, parameters.Rows, parameters.Inputs);
        kernels.Get(Spec(type, parameters.Rows, stages, context.SharedBytes - 1024)).Launch(stream, context.Multiprocessors, 1, 1, parameters, Shared(parameters.Rows, parameters.Inputs, stages));
    }

    private static unsafe KernelSpec Make((DType Type, int Columns, bool One, int Stages, int SharedBytes) key) => new("linear_small", sizeof(LinearParams), Threads)
    {
        Defines = [("ROWS", key.Columns), ("ONE", key.One ? 1 : 0), ("STAGES", key.Stages), ("ELEMENT_F16", key.Type == DType.F16 ? 1 : 0)],
        SharedBytes = key.SharedBytes,
        RegisterBudget = 128,
        MinArchitecture = 90,
        Overlaps = true,
    };

    private static int Stages(int sharedBytes, int rows, int inputs) =>
        Shared(rows, inputs, 2) <= sharedBytes - 1024 ? 2 : Shared(rows, inputs, 1) <= sharedBytes - 1024 ? 1 : 0;

    /// <summary>Ring, partial sums, barriers, activations; never so little that two blocks would share a multiprocessor.</summary>
    private static int Shared(int rows, int inputs, int stages)
    {
        var columns = rows <= 4 ? 4 : 8;
        var bytes = (8L * stages * SlotBytes) + (2 * 4 * 8 * 8 * columns * 4) + 128 + (rows * ((((inputs + Chunk - 1L) / Chunk) * Chunk * 2) + 64));
        return (int)Math.Clamp(bytes, 116 * 1024, int.MaxValue);
    }
}
