using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of arrange.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ArrangeParams
{
    public nint Tokens;
    public nint Places;
    public nint Starts;
    public int Count;
    public int Experts;
    public int Chosen;
    private readonly int _unused;
}
