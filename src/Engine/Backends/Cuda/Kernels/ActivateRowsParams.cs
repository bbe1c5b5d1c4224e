using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of activate_rows.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ActivateRowsParams
{
    public RowsView X;
    public RowsView Gate;
    public RowsView Output;
    public ActivationParams Activation;
    public int Columns;
    public int Other;
}
