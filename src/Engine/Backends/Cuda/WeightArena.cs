using System.Runtime.ExceptionServices;
using KvPrefetch.Engine.Backends.Cuda.Driver;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Weights on the card: many small ones in a block, large ones by themselves, all until the end. They travel through pinned memory, parts of it filled by several threads while others are copied.</summary>
internal sealed unsafe class WeightArena(CudaContext context, CudaStream stream) : IDisposable
{
    private const long BlockBytes = 32 << 20;
    /// <summary>Pinned pieces: two for each thread that fills them.</summary>
    private const int Slots = 16;
    private const long SlotBytes = 4 << 20;

    private const int Alignment = 256;

    private readonly List<DeviceMemory> _blocks = [];
    private readonly CudaEvent?[] _copied = new CudaEvent?[Slots];
    private PinnedMemory? _staging;
    private uint _turn;
    private nint _next;
    private long _left;

    /// <summary>Bytes of all weights.</summary>
    public long Bytes { get; private set; }

    /// <summary>Threads that fill pinned memory: reading a mapped file for the first time costs more than copying it.</summary>
    internal static int Threads { get; set; } = Math.Min(Slots / 2, Environment.ProcessorCount);

    /// <summary>A copy on the card, aligned to 256 bytes. The host memory may go when this returns.</summary>
    public nint Copy(long bytes, nint source, string name)
    {
        var address = Reserve(bytes, name);
        _staging ??= PinnedMemory.Allocate(context, Slots * SlotBytes);
        var pieces = (int)((bytes + SlotBytes - 1) / SlotBytes);
        var threads = Math.Min(Threads, pieces);
        if (threads < 2)
        {
            for (var piece = 0; piece < pieces; piece++)
            {
                Send((int)(_turn++ % Slots), piece, bytes, source, address, name);
            }

            return address;
        }

        var next = -1;
        try
        {
            Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, thread =>
            {
                context.MakeCurrent();
                for (var turn = 0; Interlocked.Increment(ref next) is var piece && piece < pieces; turn ^= 1)
                {
                    Send((2 * thread) + turn, piece, bytes, source, address, name);
                }
            });
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
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

    /// <summary>A piece by way of a slot, once the slot's last piece has left it. Slots belong to one thread at a time.</summary>
    private void Send(int slot, int piece, long bytes, nint source, nint address, string name)
    {
        if (_copied[slot] is { } before)
        {
            before.Synchronize();
        }
        else
        {
            _copied[slot] = CudaEvent.Create(context);
        }

        long start = piece * SlotBytes, size = Math.Min(SlotBytes, bytes - start);
        var pinned = (byte*)_staging!.Value + (slot * SlotBytes);
        Buffer.MemoryCopy((byte*)source + start, pinned, size, size);
        context.Check(context.Driver.MemcpyHtoDAsync(address + (nint)start, pinned, (nuint)size, stream.Value), $"the tensor '{name}' was copied");
        _copied[slot]!.Record(stream);
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
