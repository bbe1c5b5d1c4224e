using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of packed_linear.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PackedLinearParams
{
    public RowsView X;
    public RowsView Output;
    public nint Targets;
    public nint Starts;
    public int TargetCount;
    public int Inputs;
    public int Outputs;
    public int Rows;
}
