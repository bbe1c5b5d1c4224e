using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of route.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RouteParams
{
    public RowsView Logits;
    public RowsView Weights;
    public nint Correction;
    public nint Factors;
    public nint Ids;
    public int Experts;
    public int Chosen;
    public int Sigmoid;
    public int Groups;
    public int ChosenGroups;
    public int GroupBest;
    public int Normalised;
    public float Epsilon;
    public float Scale;
    private readonly int _unused;
}
