using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of rms_norm.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RmsNormParams
{
    public RowsView X;
    public RowsView Addend;
    public RowsView Output;
    public nint Gain;
    public long GainStride;
    public int Columns;
    public float Epsilon;
    public float Scale;
    private readonly int _unused;
}
