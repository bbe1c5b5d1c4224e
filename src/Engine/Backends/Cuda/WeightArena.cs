using KvPrefetch.Engine.Backends.Cuda.Driver;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Weights on the card: many small ones in a block, large ones by themselves, all until the end. They travel through pinned memory, parts of it filled by several threads while others are copied.</summary>
internal sealed unsafe class WeightArena(CudaContext context, CudaStream stream) : IDisposable
{
    private const long BlockBytes = 32 << 20;
    private const int Slots = 4;
    private const long SlotBytes = 16 << 20;

    /// <summary>What one thread takes at a time: reading a mapped file for the first time costs more than copying it.</summary>
    private const long PieceBytes = 1 << 20;
    private const int Alignment = 256;

    private readonly List<DeviceMemory> _blocks = [];
    private readonly CudaEvent?[] _copied = new CudaEvent?[Slots];
    private PinnedMemory? _staging;
    private nint _next;
    private long _left;
    private int _slot;

    /// <summary>Bytes of all weights.</summary>
    public long Bytes { get; private set; }

    /// <summary>A copy on the card, aligned to 256 bytes. The host memory may go when this returns.</summary>
    public nint Copy(long bytes, nint source, string name)
    {
        var address = Reserve(bytes, name);
        _staging ??= PinnedMemory.Allocate(context, Slots * SlotBytes);
        for (long done = 0; done < bytes;)
        {
            var size = Math.Min(SlotBytes, bytes - done);
            if (_copied[_slot] is { } before)
            {
                before.Synchronize();
            }
            else
            {
                _copied[_slot] = CudaEvent.Create(context);
            }

            var slot = (byte*)_staging.Value + (_slot * SlotBytes);
            Gather((byte*)source + done, slot, size);
            context.Check(context.Driver.MemcpyHtoDAsync(address + (nint)done, slot, (nuint)size, stream.Value), $"the tensor '{name}' was copied");
            _copied[_slot]!.Record(stream);
            _slot = (_slot + 1) % Slots;
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

    private static void Gather(byte* from, byte* to, long bytes)
    {
        if (bytes <= 2 * PieceBytes)
        {
            Buffer.MemoryCopy(from, to, bytes, bytes);
            return;
        }

        Parallel.For(0, (int)((bytes + PieceBytes - 1) / PieceBytes), piece =>
        {
            var (start, size) = (piece * PieceBytes, Math.Min(PieceBytes, bytes - (piece * PieceBytes)));
            Buffer.MemoryCopy(from + start, to + start, size, size);
        });
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
