using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>Rows on the card: address of the first element, elements from one row to the next.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct RowsView(nint data, long stride)
{
    public readonly nint Data = data;
    public readonly long Stride = stride;

    public RowsView(Rows rows) : this(rows.Buffer.Address + (rows.Column * sizeof(float)), rows.Stride)
    {
    }
}
