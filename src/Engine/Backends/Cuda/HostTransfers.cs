using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends.Cuda.Driver;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>The integers of a step on their way to the card: one copy out of pinned memory, of which there are two, so that the host may write while the last one travels.</summary>
internal sealed unsafe class StepUpload(CudaContext context, CudaStream stream) : IDisposable
{
    private readonly PinnedMemory?[] _staging = new PinnedMemory?[2];
    private readonly CudaEvent?[] _sent = new CudaEvent?[2];
    private int _turn;

    public void Copy(ReadOnlySpan<int> source, nint destination)
    {
        context.MakeCurrent();
        _turn ^= 1;
        var bytes = checked(source.Length * (long)sizeof(int));
        if (_sent[_turn] is { } sent)
        {
            sent.Synchronize();
        }
        else
        {
            _sent[_turn] = CudaEvent.Create(context);
        }

        if (_staging[_turn] is not { } staging || staging.Bytes < bytes)
        {
            _staging[_turn]?.Dispose();
            _staging[_turn] = null;
            _staging[_turn] = staging = PinnedMemory.Allocate(context, Math.Max(bytes * 2, 1 << 16));
        }

        source.CopyTo(new Span<int>((void*)staging.Value, source.Length));
        context.Check(context.Driver.MemcpyHtoDAsync(destination, (void*)staging.Value, (nuint)bytes, stream.Value), "a step was uploaded");
        _sent[_turn]!.Record(stream);
    }

    public void Dispose()
    {
        Array.ForEach(_sent, e => e?.Dispose());
        Array.ForEach(_staging, s => s?.Dispose());
    }
}

/// <summary>Rows on the host: pinned memory that holds the rows which were fetched last.</summary>
internal sealed unsafe class RowDownload(CudaContext context, CudaStream stream) : IDisposable
{
    private PinnedMemory? _host;
    private Rows _held;
    private int _count;

    /// <summary>What is held is of an earlier step.</summary>
    public void Forget() => _count = 0;

    /// <summary>Copies the first rows to the host and waits for them.</summary>
    public void Fetch(Rows rows, int count) => Fetch(rows, 0, count);

    /// <summary>A row that was fetched, or, where it was not, fetched now by itself.</summary>
    public Span<float> Row(Rows rows, int row)
    {
        var at = row;
        if (row >= _count || _held != rows)
        {
            Fetch(rows, row, 1);
            _count = 0;
            at = 0;
        }

        return new Span<float>((float*)_host!.Value + ((long)at * rows.Columns), rows.Columns);
    }

    /// <summary>The first integers of a buffer.</summary>
    public ReadOnlySpan<int> Integers(DeviceBuffer source, int count)
    {
        context.MakeCurrent();
        var bytes = checked(count * sizeof(int));
        _count = 0;
        var host = Room(bytes);
        context.Check(context.Driver.MemcpyDtoHAsync(host, source.Address, (nuint)bytes, stream.Value), "integers were downloaded");
        stream.Synchronize();
        return new ReadOnlySpan<int>(host, count);
    }

    public void Dispose() => _host?.Dispose();

    private byte* Room(long bytes)
    {
        if (_host is null || _host.Bytes < bytes)
        {
            _host?.Dispose();
            _host = null;
            _host = PinnedMemory.Allocate(context, Math.Max(bytes, 1 << 16));
        }

        return (byte*)_host.Value;
    }

    private void Fetch(Rows rows, int first, int count)
    {
        context.MakeCurrent();
        var bytes = checked((long)count * rows.Columns * sizeof(float));
        _count = 0;
        var host = Room(bytes);
        var source = rows.Buffer.Address + (nint)((rows.Column + ((long)first * rows.Stride)) * sizeof(float));
        var row = checked((nuint)rows.Columns * sizeof(float));
        var whole = rows.Stride == rows.Columns;
        for (var i = 0; i < (whole ? 1 : count); i++)
        {
            var status = context.Driver.MemcpyDtoHAsync(host + ((long)i * (long)row), source + (nint)((long)i * rows.Stride * sizeof(float)), whole ? (nuint)bytes : row, stream.Value);
            context.Check(status, "rows were downloaded");
        }

        stream.Synchronize();
        (_held, _count) = (rows, count);
    }
}
