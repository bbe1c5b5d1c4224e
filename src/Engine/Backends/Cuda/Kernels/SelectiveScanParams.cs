using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of selective_scan.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SelectiveScanParams
{
    public RowsView Xbc;
    public RowsView Steps;
    public RowsView Output;
    public nint LogDecay;
    public nint StepBias;
    public nint Skip;
    public nint States;
    public nint Slots;
    public nint RowStarts;
    public nint Positions;
    public long StateElements;
    public int Heads;
    public int HeadDim;
    public int Groups;
    public int StateSize;
    public float MinStep;
    public float MaxStep;
}
