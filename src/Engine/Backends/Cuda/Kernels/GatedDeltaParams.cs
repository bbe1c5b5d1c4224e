using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of gated_delta.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct GatedDeltaParams
{
    public RowsView Qkv;
    public RowsView Betas;
    public RowsView Decays;
    public RowsView Output;
    public nint LogDecay;
    public nint DecayBias;
    public nint States;
    public nint Slots;
    public nint RowStarts;
    public nint Positions;
    public long StateElements;
    public int KeyHeads;
    public int ValueHeads;
    public int KeyDim;
    public int ValueDim;
    public int DecaysPerHead;
    public float BetaScale;
}
