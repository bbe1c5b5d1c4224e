using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of linear_tiles.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LinearTilesParams
{
    public nint X;
    public RowsView Output;
    public Targets Targets;
    public int TargetCount;
    public int Inputs;
    public int Outputs;
    public int Rows;
}
