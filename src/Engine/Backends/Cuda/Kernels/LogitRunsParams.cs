using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The struct of logit_runs.cu, field by field; its size is asserted when the kernel is compiled.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LogitRunsParams
{
    public RowsView Logits;
    public nint Settings;
    public nint Heads;
    public nint Bodies;
    public int Vocabulary;
    public int BodyLength;
}
