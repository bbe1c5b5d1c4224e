using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends.Cuda.Driver;
using KvPrefetch.Engine.Backends.Cuda.Kernels;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>What figures stand beside: how fast the card can read, and the copies of decode attention without its arithmetic.</summary>
internal static unsafe class Yardsticks
{
    public static KernelSpec ReadRate => new("read_rate", sizeof(ReadParams), 512);

    public static KernelSpec StreamFloor(int headDim)
    {
        int slab = 32 * headDim, stages = Math.Clamp(128 * 1024 / (16 * slab), 1, 4);
        return new KernelSpec("stream_floor", sizeof(FloorParams), 256)
        {
            Defines = [("HEAD_DIM", headDim), ("WARPS", 8), ("STAGES", stages)],
            SharedBytes = (16 * stages * slab) + (16 * stages * 8),
        };
    }

    /// <summary>Reads <paramref name="bytes"/>, a multiple of 16, once.</summary>
    public static void Read(CudaKernel kernel, CudaStream stream, int multiprocessors, nint data, long bytes, nint sink) =>
        kernel.Launch(stream, multiprocessors * 4L, 1, 1, new ReadParams { Data = data, Count = bytes / 16, Sink = sink });

    /// <summary>Copies the listed slabs of keys and of values into shared memory.</summary>
    public static void Stream(CudaKernel kernel, CudaStream stream, int multiprocessors, nint keys, nint values, nint slabs, int count) =>
        kernel.Launch(stream, multiprocessors, 1, 1, new FloorParams { Keys = keys, Values = values, Slabs = slabs, Units = count });

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
