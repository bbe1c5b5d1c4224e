using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends.Cuda.Kernels;

namespace KvPrefetch.Benchmarks.Gpu;

/// <summary>What every figure stands beside: the card's read rate, and the time of the same copies without any arithmetic.</summary>
internal static unsafe class Yardsticks
{
    /// <summary>Bytes a second of a plain read over 8 GiB.</summary>
    public static double ReadRate(Card card, long bytes = 8L << 30)
    {
        var mark = card.Mark;
        var data = card.Allocate(bytes);
        card.Fill(data.Value, 0x5a, bytes);
        var kernel = card.Kernels.Get(new KernelSpec("read_rate", sizeof(ReadParams), 512));
        var sink = card.Allocate(16);
        var parameters = new ReadParams { Data = data.Value, Count = bytes / 16, Sink = sink.Value };
        var time = card.Single(_ => kernel.Launch(card.Stream, card.Context.Multiprocessors * 4L, 1, 1, parameters));
        card.Release(mark);
        return bytes / (time * 1e-6);
    }

    public static CudaKernel Floor(Card card, int headDim)
    {
        int slab = 32 * headDim, stages = Math.Clamp((128 * 1024) / (16 * slab), 1, 4);
        return card.Kernels.Get(new KernelSpec("stream_floor", sizeof(FloorParams), 256)
        {
            Defines = [("HEAD_DIM", headDim), ("WARPS", 8), ("STAGES", stages)],
            SharedBytes = (16 * stages * slab) + (16 * stages * 8),
            MinArchitecture = 90,
        });
    }

    public static void LaunchFloor(Card card, CudaKernel floor, KvPool pool, int set) =>
        floor.Launch(card.Stream, card.Context.Multiprocessors, 1, 1, new FloorParams { Keys = pool.Keys, Values = pool.Values, Slabs = pool.SlabList(set), Units = pool.Slabs });

    [StructLayout(LayoutKind.Sequential)]
    private struct ReadParams
    {
        public nint Data;
        public long Count;
        public nint Sink;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct FloorParams
    {
        public nint Keys;
        public nint Values;
        public nint Slabs;
        public int Units;
        public int Reserved;
    }
}
