using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>A tensor where it lies in the mapped file. Valid until its <see cref="Checkpoint"/> is disposed. Reading it reads the file: the bytes come when they are touched,
/// and a file that somebody cuts while it is mapped ends the process at that touch (see <see cref="Checkpoint.RequireUnchanged"/>).</summary>
internal readonly unsafe struct TensorView
{
    private readonly long[] _shape;

    public TensorView(string name, DType type, long[] shape, byte* address, long byteLength)
    {
        (Name, Type, _shape, ByteLength) = (name, type, shape, byteLength);
        Address = address;
    }

    public string Name { get; }
    public DType Type { get; }

    /// <summary>Dimensions, outermost first; empty for a scalar.</summary>
    public ReadOnlySpan<long> Shape => _shape;

    /// <summary>First byte; not null unless this is <c>default</c>. Need not be a multiple of the element size, see <see cref="IsAligned"/>.</summary>
    public byte* Address { get; }

    public long ByteLength { get; }
    public long ElementCount => ByteLength / Type.ByteSize();

    /// <summary>False for the <c>default</c> that <see cref="WeightBinder"/> gives for a tensor that is missing.</summary>
    public bool Exists => Address != null;

    /// <summary>True when the address is a multiple of the element size. The format does not promise it: a kernel that needs aligned elements must copy first.</summary>
    public bool IsAligned => (nuint)Address % (nuint)Type.ByteSize() == 0;

    /// <summary>All bytes; only for tensors below 2 GiB.</summary>
    public ReadOnlySpan<byte> Bytes => new(Address, checked((int)ByteLength));

    public override string ToString() => $"{Excerpt.Of(Name)} {Type} [{string.Join(", ", _shape ?? [])}]";
}
