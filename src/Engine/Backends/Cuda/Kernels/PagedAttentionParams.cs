using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of paged_attention.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PagedAttentionParams
{
    public RowsView Q;
    public RowsView Output;
    public nint Keys;
    public nint Values;
    public nint Positions;
    public nint RowStarts;
    public nint TableStarts;
    public nint Tables;
    public nint Sinks;
    public int Sequences;
    public int Group;
    public int KvHeads;
    public int PageSize;
    public int Window;
    public int GrowthLength;
    public float GrowthBeta;
    public float Scale;
    public float SoftCap;
    public int OnlySeveral;
}
