using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of expert_linear.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ExpertLinearParams
{
    public RowsView X;
    public RowsView Output;
    public nint Targets;
    public nint Starts;
    public int TargetCount;
    public int Inputs;
    public int Outputs;
    private readonly int _unused;
}
