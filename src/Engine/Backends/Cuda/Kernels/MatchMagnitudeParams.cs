using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of match_magnitude.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MatchMagnitudeParams
{
    public RowsView X;
    public RowsView Reference;
    public RowsView Output;
    public int Columns;
    public float Floor;
}
