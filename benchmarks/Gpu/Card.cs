using System.Globalization;
using KvPrefetch.Engine.Backends.Cuda.Driver;
using KvPrefetch.Engine.Backends.Cuda.Kernels;

namespace KvPrefetch.Benchmarks.Gpu;

/// <summary>The card, a stream, its kernels, and how to take the time on it.</summary>
internal sealed unsafe class Card : IDisposable
{
    private const int GraphLaunches = 20;
    private readonly List<IDisposable> _owned = [];
    private readonly CudaEvent[] _events;

    public Card()
    {
        Driver = CudaDriver.Find(out var reason) ?? throw new InvalidOperationException(reason);
        Context = CudaContext.Open(Driver, 0);
        var nvrtc = Nvrtc.Find(out reason) ?? throw new InvalidOperationException(reason);
        Stream = CudaStream.Create(Context);
        Kernels = new KernelCache(Context, new KernelImages(new KernelCompiler(nvrtc), shipped: null, Environment.GetEnvironmentVariable("KVPREFETCH_KERNEL_CACHE"), missing: null));
        _events = [.. Enumerable.Range(0, 128).Select(_ => CudaEvent.Create(Context, timing: true))];
    }

    public ICudaDriver Driver { get; }
    public CudaContext Context { get; }
    public CudaStream Stream { get; }
    public KernelCache Kernels { get; }

    public string Describe()
    {
        int version;
        _ = Driver.DriverGetVersion(&version);
        var kernel = "/proc/driver/nvidia/version";
        var driver = File.Exists(kernel) ? File.ReadLines(kernel).First().Split("  ", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).ElementAtOrDefault(1) : null;
        return string.Create(CultureInfo.InvariantCulture, $"{Context.Name}, {Context.Multiprocessors} multiprocessors, L2 {Context.L2Bytes >> 20} MiB, driver {driver ?? "?"} (CUDA {version / 1000}.{version % 1000 / 10})");
    }

    public DeviceMemory Allocate(long bytes)
    {
        var memory = DeviceMemory.Allocate(Context, bytes, "the benchmark");
        _owned.Add(memory);
        return memory;
    }

    public DeviceMemory Upload<T>(ReadOnlySpan<T> data)
        where T : unmanaged
    {
        var memory = Allocate(Math.Max(16, (long)data.Length * sizeof(T)));
        Upload(memory.Value, data);
        return memory;
    }

    public void Upload<T>(nint to, ReadOnlySpan<T> data)
        where T : unmanaged
    {
        fixed (T* from = data)
        {
            Context.Check(Driver.MemcpyHtoDAsync(to, from, checked((nuint)((long)data.Length * sizeof(T))), Stream.Value), "data were copied");
        }

        Stream.Synchronize();
    }

    public T[] Download<T>(nint from, int count)
        where T : unmanaged
    {
        var result = new T[count];
        fixed (T* to = result)
        {
            Context.Check(Driver.MemcpyDtoHAsync(to, from, checked((nuint)((long)count * sizeof(T))), Stream.Value), "data were copied back");
        }

        Stream.Synchronize();
        return result;
    }

    public void Fill(nint address, byte value, long bytes) => Context.Check(Driver.MemsetD8Async(address, value, checked((nuint)bytes), Stream.Value), "memory was filled");

    /// <summary>Gives back what was allocated since <paramref name="mark"/>.</summary>
    public void Release(int mark = 0)
    {
        Stream.Synchronize();
        _owned.Skip(mark).ToList().ForEach(o => o.Dispose());
        _owned.RemoveRange(mark, _owned.Count - mark);
    }

    public int Mark => _owned.Count;

    /// <summary>Microseconds of one launch between two events: the median of many. The argument counts up, so that the launch can take another buffer each time.</summary>
    public double Single(Action<int> launch)
    {
        var pairs = _events.Length / 2;
        for (var i = 0; i < 6; i++)
        {
            launch(i);
        }

        for (var i = 0; i < pairs; i++)
        {
            _events[2 * i].Record(Stream);
            launch(6 + i);
            _events[(2 * i) + 1].Record(Stream);
        }

        Stream.Synchronize();
        return Statistics.Median([.. Enumerable.Range(0, pairs).Select(i => 1000.0 * _events[(2 * i) + 1].MillisecondsSince(_events[2 * i]))]);
    }

    /// <summary>Microseconds of one launch of many in a recorded graph.</summary>
    public double InGraph(Action<int> launch, int launches = GraphLaunches)
    {
        using var graph = CudaGraph.Record(Context, Stream, () =>
        {
            for (var i = 0; i < launches; i++)
            {
                launch(i);
            }
        });
        const int replays = 21;
        for (var i = 0; i < 3; i++)
        {
            graph.Launch(Stream);
        }

        for (var i = 0; i < replays; i++)
        {
            _events[2 * i].Record(Stream);
            graph.Launch(Stream);
            _events[(2 * i) + 1].Record(Stream);
        }

        Stream.Synchronize();
        return Statistics.Median([.. Enumerable.Range(0, replays).Select(i => 1000.0 * _events[(2 * i) + 1].MillisecondsSince(_events[2 * i]))]) / launches;
    }

    public void Dispose()
    {
        Release();
        Array.ForEach(_events, e => e.Dispose());
        Kernels.Dispose();
        Stream.Dispose();
        Context.Dispose();
    }
}
