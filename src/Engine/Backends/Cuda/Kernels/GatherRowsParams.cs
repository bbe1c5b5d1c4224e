using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of gather_rows.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct GatherRowsParams
{
    public RowsView X;
    public RowsView Output;
    public nint Indexes;
    public int Columns;
    private readonly int _unused;
}
