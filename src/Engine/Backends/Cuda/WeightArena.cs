using KvPrefetch.Engine.Backends.Cuda.Driver;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Weights on the card: many small ones in a block, large ones by themselves, all until the end. They travel through pinned memory in two halves, one filled while the other is copied.</summary>
internal sealed unsafe class WeightArena(CudaContext context, CudaStream stream) : IDisposable
{
    private const long BlockBytes = 32 << 20;
    private const long HalfBytes = 8 << 20;
    private const int Alignment = 256;

    private readonly List<DeviceMemory> _blocks = [];
    private readonly CudaEvent?[] _copied = new CudaEvent?[2];
    private PinnedMemory? _staging;
    private nint _next;
    private long _left;
    private int _half;

    /// <summary>Bytes of all weights.</summary>
    public long Bytes { get; private set; }

    /// <summary>A copy on the card, aligned to 256 bytes. The host memory may go when this returns.</summary>
    public nint Copy(long bytes, nint source, string name)
    {
        var address = Reserve(bytes, name);
        _staging ??= PinnedMemory.Allocate(context, 2 * HalfBytes);
        for (long done = 0; done < bytes;)
        {
            var size = Math.Min(HalfBytes, bytes - done);
            if (_copied[_half] is { } before)
            {
                before.Synchronize();
            }
            else
            {
                _copied[_half] = CudaEvent.Create(context);
            }

            var half = (byte*)_staging.Value + (_half * HalfBytes);
            Buffer.MemoryCopy((byte*)source + done, half, size, size);
            context.Check(context.Driver.MemcpyHtoDAsync(address + (nint)done, half, (nuint)size, stream.Value), $"the tensor '{name}' was copied");
            _copied[_half]!.Record(stream);
            _half ^= 1;
            done += size;
        }

        return address;
    }

    public void Dispose()
    {
        // What still travels must arrive first; where it cannot, freeing is all that is left.
        context.Driver.ContextSetCurrent(context.Value);
        context.Driver.StreamSynchronize(stream.Value);
        _staging?.Dispose();
        Array.ForEach(_copied, e => e?.Dispose());
        _blocks.ForEach(b => b.Dispose());
        _blocks.Clear();
    }

    private nint Reserve(long bytes, string name)
    {
        var size = (Math.Max(bytes, 1) + Alignment - 1) / Alignment * Alignment;
        Bytes += size;
        if (size > BlockBytes / 4)
        {
            return Add(size, name);
        }

        if (size > _left)
        {
            _next = Add(BlockBytes, name);
            _left = BlockBytes;
        }

        var address = _next;
        _next += (nint)size;
        _left -= size;
        return address;
    }

    private nint Add(long bytes, string name)
    {
        var block = DeviceMemory.Allocate(context, bytes, $"weights (now '{name}', {Bytes} bytes so far)");
        _blocks.Add(block);
        return block.Value;
    }
}
