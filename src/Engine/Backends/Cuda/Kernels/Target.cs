using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>A matrix whose outputs stand beside others', as in product.cuh.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Target
{
    public nint Weights;
    public nint Bias;
    public int First;
    public int Outputs;
}
