using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of convert_rows.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ConvertRowsParams
{
    public RowsView X;
    public nint Output;
    public int Columns;
    private readonly int _unused;
}
