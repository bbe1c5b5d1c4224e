using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of combine_experts.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CombineExpertsParams
{
    public RowsView X;
    public RowsView Weights;
    public RowsView Output;
    public nint Places;
    public int Columns;
    public int Chosen;
}
