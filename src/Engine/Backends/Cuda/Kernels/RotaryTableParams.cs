using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of rotary_table.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RotaryTableParams
{
    public nint Positions;
    public nint Lengths;
    public nint Inverse;
    public nint Far;
    public RowsView Table;
    public double Theta;
    public double Factor;
    public int Half;
    public int OriginalLength;
    public int FarLength;
    public float Magnitude;
}
