using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of logit_rows.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LogitRowsParams
{
    public nint Settings;
    public nint Parts;
    public nint Heads;
    public nint Bodies;
    public int Count;
    public int BodyLength;
}
