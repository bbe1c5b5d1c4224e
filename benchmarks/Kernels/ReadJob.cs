using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using KvPrefetch.Engine.Backends.Cpu;

namespace KvPrefetch.Benchmarks.Kernels;

/// <summary>Reads memory and does nothing with it, dealt to threads as products deal their weights: what a product cannot beat. An item is 4 KiB.</summary>
internal struct ReadJob : IParallelJob
{
    public const int ItemBytes = 4096;

    public nint Address;

    public readonly void Run(int from, int end, int thread)
    {
        ref var first = ref Unsafe.AddByteOffset(ref Unsafe.NullRef<float>(), Address + ((nint)from * ItemBytes));
        Keep(Sum(ref first, (nuint)(end - from) * ItemBytes / sizeof(float)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static Vector512<float> Sum(ref float first, nuint count)
    {
        Vector512<float> a = default, b = default, c = default, d = default;
        for (nuint i = 0; i < count; i += 64)
        {
            a += Vector512.LoadUnsafe(ref first, i);
            b += Vector512.LoadUnsafe(ref first, i + 16);
            c += Vector512.LoadUnsafe(ref first, i + 32);
            d += Vector512.LoadUnsafe(ref first, i + 48);
        }

        return a + b + c + d;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Keep(Vector512<float> sum) => _ = sum;
}

/// <summary>Nothing: what a job costs that has one item for each thread.</summary>
internal struct EmptyJob : IParallelJob
{
    public readonly void Run(int from, int end, int thread)
    {
    }
}
