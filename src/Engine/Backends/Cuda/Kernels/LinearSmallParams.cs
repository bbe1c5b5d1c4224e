using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of linear_small.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LinearSmallParams
{
    public RowsView X;
    public RowsView Output;
    public nint Gain;
    public RowsView Rotary;
    public nint Keys;
    public nint Values;
    public nint Positions;
    public nint TableStarts;
    public nint Tables;
    public Targets Targets;
    public int TargetCount;
    public int Inputs;
    public int Outputs;
    public int Rows;
    public ActivationParams Activation;
    public float Epsilon;
    public float Scale;
    public int Heads;
    public int KvHeads;
    public int HeadDim;
    public int Half;
    public int Neighbours;
    public int PageSize;
    public uint HeadReciprocal;
    public int TilesEach;
    public int TilesMore;
    public int Chunks;
}
