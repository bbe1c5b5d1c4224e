using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of elementwise.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ElementwiseParams
{
    public RowsView X;
    public RowsView Y;
    public RowsView Z;
    public int Columns;
    public float A;
    public float B;
    private readonly int _unused;
}
