using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of layer_norm.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LayerNormParams
{
    public RowsView X;
    public RowsView Output;
    public nint Gain;
    public nint Bias;
    public int Columns;
    public float Epsilon;
}
