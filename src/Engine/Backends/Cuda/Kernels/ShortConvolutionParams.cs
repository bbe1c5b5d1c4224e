using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of short_convolution.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ShortConvolutionParams
{
    public RowsView X;
    public RowsView Output;
    public nint Kernel;
    public nint Bias;
    public nint States;
    public nint Slots;
    public nint RowStarts;
    public nint Positions;
    public long StateSize;
    public ActivationParams Activation;
    public int Columns;
    public int Activated;
}
