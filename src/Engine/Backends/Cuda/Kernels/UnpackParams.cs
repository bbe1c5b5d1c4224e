using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of unpack.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct UnpackParams
{
    public nint Targets;
    public nint Output;
    public int TargetCount;
    public int Inputs;
}
