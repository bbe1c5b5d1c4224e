using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of linear.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LinearParams
{
    public RowsView X;
    public RowsView Output;
    public Targets Targets;
    public int TargetCount;
    public int Inputs;
    public int Outputs;
    public int Rows;
}
