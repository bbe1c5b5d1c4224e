using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of rotate_and_store.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RotateAndStoreParams
{
    public RowsView Qkv;
    public RowsView Rotary;
    public nint Keys;
    public nint Values;
    public nint Positions;
    public nint RowStarts;
    public nint TableStarts;
    public nint Tables;
    public int Sequences;
    public int Heads;
    public int KvHeads;
    public int HeadDim;
    public int Half;
    public int Neighbours;
    public int PageSize;
    private readonly int _unused;
}
