using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Backends.Cuda.Kernels;

namespace KvPrefetch.Benchmarks.Gpu;

/// <summary>What every figure stands beside: the card's read rate, and the time of the same copies without any arithmetic.</summary>
internal static class Measures
{
    /// <summary>Bytes a second of a plain read over 8 GiB.</summary>
    public static double ReadRate(Card card, long bytes = 8L << 30)
    {
        var mark = card.Mark;
        var data = card.Allocate(bytes);
        card.Fill(data.Value, 0x5a, bytes);
        var kernel = card.Kernels.Get(Yardsticks.ReadRate);
        var sink = card.Allocate(16);
        var time = card.Single(_ => Yardsticks.Read(kernel, card.Stream, card.Context.Multiprocessors, data.Value, bytes, sink.Value));
        card.Release(mark);
        return bytes / (time * 1e-6);
    }

    public static CudaKernel Floor(Card card, int headDim) => card.Kernels.Get(Yardsticks.StreamFloor(headDim));

    public static void LaunchFloor(Card card, CudaKernel floor, KvPool pool, int set) =>
        Yardsticks.Stream(floor, card.Stream, card.Context.Multiprocessors, pool.Keys, pool.Values, pool.SlabList(set), pool.Slabs);
}
