using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of logit_parts.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LogitPartsParams
{
    public RowsView Logits;
    public nint Settings;
    public nint Parts;
    public int Vocabulary;
    public int Count;
}
