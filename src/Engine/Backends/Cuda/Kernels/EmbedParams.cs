using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of embed.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct EmbedParams
{
    public nint Table;
    public nint Ids;
    public RowsView Output;
    public int Columns;
    public int Rows;
    public float Scale;
    private readonly int _unused;
}
