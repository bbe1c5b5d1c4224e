using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>A matrix in few bits, as packed.cuh has it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal record struct PackedTarget
{
    public nint Codes;
    public nint Scales;
    public nint Zeros;
    public nint GroupOfColumn;
    public nint Bias;
    public long Pitch;
    public int Groups;
    public int GroupSize;
    public int Zero;
    public int First;
    public int Outputs;
    private readonly int _unused;
}
