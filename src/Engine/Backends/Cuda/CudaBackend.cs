using System.Diagnostics.CodeAnalysis;
using KvPrefetch.Engine.Backends.Cuda.Driver;
using KvPrefetch.Engine.Backends.Cuda.Kernels;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>How a card computes.</summary>
internal sealed record CudaOptions
{
    /// <summary>Which card, from 0.</summary>
    public int Device { get; init; }

    /// <summary>Stored type of keys and values: F32, F16 or BF16.</summary>
    public DType KvType { get; init; } = DType.BF16;

    /// <summary>Where compiled kernels are kept; null: nowhere.</summary>
    public string? KernelFolder { get; init; } = KernelImages.DefaultFolder;

    /// <summary>Products of many rows by tensor cores, which round the activations to the weights' type; and with it a row's bits depend on how many rows there are.
    /// False: float32 arithmetic, the same bits in any batch.</summary>
    public bool TensorCores { get; init; } = true;

    /// <summary>Which kernel computes attention for sequences that decode.</summary>
    public AttentionKernel Attention { get; init; }

    /// <summary>What it asks for ahead.</summary>
    public PrefetchPolicy Prefetch { get; init; }

    /// <summary>Of <see cref="PrefetchPolicy.L2"/>: fillings of the ring, or pages of a warp in the paper's kernel.</summary>
    public int PrefetchDistance { get; init; } = 1;

    /// <summary>Blocks of a decode step are folded into few launches. False: verb by verb.</summary>
    public bool Folds { get; init; } = true;

    /// <summary>How products of few rows use a multiprocessor; null: as measured.</summary>
    public SmallTuning? Products { get; init; }

    /// <summary>How decode attention uses a multiprocessor; null: as measured.</summary>
    public DecodeTuning? Decode { get; init; }

    /// <summary>Kernels may begin before the one in front has ended (where the card can).</summary>
    public bool Overlaps { get; init; } = true;

    /// <summary>Times 16 rows of a warp in attention over prompts; 0: what was fastest. For measurements.</summary>
    public int PrefillRowTiles { get; init; }

    /// <summary>Contexts are cut at fixed places, so that a sequence's bits while decoding do not depend on its neighbours.</summary>
    public bool BatchInvariant { get; init; }
}

/// <summary>One NVIDIA card. Activations are float32, weights as stored, keys and values as <see cref="CudaOptions.KvType"/> says.
/// Everything runs in one stream of its own; the host waits for it in <see cref="Download"/> alone.</summary>
internal sealed unsafe partial class CudaBackend : IBackend
{
    private CudaOptions _options;
    private readonly CudaContext _context;
    private readonly CudaStream _stream;
    private readonly KernelCache _kernels;
    private readonly WeightArena _arena;
    private readonly StepUpload _upload;
    private readonly RowDownload _download;
    private readonly LargeProducts? _products;
    private LinearSmall _small;
    private readonly List<DeviceMemory> _allocated = [];
    private bool _disposed;

    private CudaBackend(CudaContext context, KernelImages images, ICublasLt? cublas, CudaOptions options, Stack<IDisposable> built)
    {
        T Add<T>(T made)
            where T : IDisposable
        {
            built.Push(made);
            return made;
        }

        (_context, _options) = (context, options);

        _stream = Add(CudaStream.Create(context));
        _kernels = Add(new KernelCache(context, images));
        Reconfigure(options);
        _arena = Add(new WeightArena(context, _stream));
        _upload = Add(new StepUpload(context, _stream));
        _download = Add(new RowDownload(context, _stream));
        _products = cublas is null ? null : Add(new LargeProducts(context, cublas));
    }

    public string Name => $"cuda:{_options.Device} ({_context.Name}, {_options.KvType.ToString().ToLowerInvariant()} cache)";
    public int Threads => 1;

    /// <summary>Kernels that had to be compiled since the backend was made.</summary>
    public int CompiledKernels => _kernels.Images.Compiled;

    /// <summary>Kernels that came with the package and were translated by the driver.</summary>
    public int TranslatedKernels => _kernels.Images.Translated;

    public string DeviceName => _context.Name;
    public long TotalBytes => _context.TotalBytes;

    /// <summary>What nobody holds; from any thread, and 0 once the backend is disposed.</summary>
    public long FreeBytes => _disposed ? 0 : _context.CurrentFreeBytes();
    public long WeightBytes => _arena.Bytes;

    /// <summary>Where everything runs: for benchmarks.</summary>
    public CudaStream Stream => _stream;
    public CudaContext Context => _context;

    /// <summary>Whether this machine has an NVIDIA driver at all.</summary>
    public static bool HasDriver => CudaDriver.Find(out _) is not null;

    public long CacheBudget => (long)(_context.CurrentFreeBytes() * 0.9);

    /// <summary>The card that the options name, with the libraries of this machine.</summary>
    /// <exception cref="DeviceException">Unavailable, with one sentence that says what is missing.</exception>
    public static CudaBackend Create(CudaOptions options)
    {
        var driver = CudaDriver.Find(out var reason);
        return driver is null
            ? throw new DeviceException(DeviceException.Unavailable, reason!)
            : Create(driver, Nvrtc.Find(out var missing), options, PtxArchive.Shipped, missing, CublasLt.Find());
    }

    /// <param name="driver">The driver.</param>
    /// <param name="nvrtc">The compiler, or null.</param>
    /// <param name="options">How to compute.</param>
    /// <param name="shipped">Kernels that came with the package, or null.</param>
    /// <param name="missing">Why there is no compiler.</param>
    /// <param name="cublas">For large products, or null.</param>
    /// <exception cref="DeviceException">Unavailable: there is no such card, or neither a compiler nor kernels.</exception>
    public static CudaBackend Create(ICudaDriver driver, INvrtc? nvrtc, CudaOptions options, PtxArchive? shipped = null, string? missing = null, ICublasLt? cublas = null)
    {
        if (nvrtc is null && shipped is null)
        {
            throw new DeviceException(DeviceException.Unavailable, $"{missing} The package's own kernels ({PtxArchive.FileName}) are not beside the application either.");
        }

        var context = CudaContext.Open(driver, options.Device);
        var built = new Stack<IDisposable>();
        built.Push(context);
        try
        {
            var images = new KernelImages(nvrtc is null ? null : new KernelCompiler(nvrtc), shipped, options.KernelFolder, missing);
            return new CudaBackend(context, images, cublas, options, built);
        }
        catch
        {
            while (built.TryPop(out var part))
            {
                part.Dispose();
            }

            throw;
        }
    }

    public Weight LoadMatrix(string name, DType type, int rows, int columns, nint address)
    {
        RefuseType(name, type);
        var data = _arena.Copy(checked((long)rows * columns * type.ByteSize()), address, name);
        return new Weight(name, type, rows, columns, new DeviceBuffer(data, type, (long)rows * columns, owner: null));
    }

    public DeviceBuffer LoadVector(string name, DType type, int length, nint address, float offset = 0)
    {
        RefuseType(name, type);
        var values = new float[length];
        for (var i = 0; i < length; i++)
        {
            values[i] = offset + Element(type, address, i);
        }

        return Constant(name, values);
    }

    public Rows AllocateRows(int rows, int columns) => new(Allocate(DType.F32, checked((long)rows * columns), "activations"), columns, columns);

    public DeviceBuffer AllocateInts(int length) => Allocate(DType.I32, length, "integers");

    public KvPages AllocateKvPages(KvLayout layout, IReadOnlyList<int> pages)
    {
        if (layout.PageSize % 16 != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(layout), layout.PageSize, "A page holds a multiple of 16 tokens.");
        }

        var made = new List<DeviceBuffer>();
        try
        {
            DeviceBuffer[] Slabs(Func<KvLayer, long> elements) => [.. layout.Layers.Select((layer, i) =>
            {
                made.Add(Allocate(_options.KvType, checked(elements(layer) * pages[layout.Group(i)]), "the key-value cache"));
                return made[^1];
            })];

            return new KvPages(layout, Slabs(l => l.KeyElements(layout.PageSize)), Slabs(l => l.ValueElements(layout.PageSize)), pages);
        }
        catch
        {
            made.ForEach(b => b.Dispose());
            throw;
        }
    }

    public long KvPageBytes(KvLayer layer, int pageSize) => checked((layer.KeyElements(pageSize) + layer.ValueElements(pageSize)) * _options.KvType.ByteSize());

    public StateSlots AllocateStateSlots(IReadOnlyList<int> sizes, int slots)
    {
        var made = new List<DeviceBuffer>();
        try
        {
            foreach (var size in sizes)
            {
                made.Add(Allocate(DType.F32, checked((long)size * slots), "recurrent states"));
            }

            return new StateSlots([.. made], sizes, slots);
        }
        catch
        {
            made.ForEach(b => b.Dispose());
            throw;
        }
    }

    public void Upload(ReadOnlySpan<int> source, DeviceBuffer destination)
    {
        if (source.Length > destination.Length)
        {
            throw new ArgumentException($"{source.Length} integers for a buffer of {destination.Length}.", nameof(source));
        }

        _download.Forget();
        _upload.Copy(source, destination.Address);
    }

    public Span<float> Download(Rows rows, int row) => _download.Row(rows, row);

    public void Fetch(Rows rows, int count) => _download.Fetch(rows, count);

    /// <summary>Other ways of computing the same, with the weights and pages that are there; what was recorded is forgotten.</summary>
    [MemberNotNull(nameof(_small))]
    public void Reconfigure(CudaOptions options)
    {
        _options = options;
        _context.Overlaps = options.Overlaps && _context.Architecture >= 90;
        _small = new LinearSmall(_context, _kernels, _stream, options.Products ?? (Prefetch == PrefetchPolicy.Rings ? SmallTuning.Default : SmallTuning.Default with { Ahead = 0 }));
        foreach (var graph in _graphs.Values)
        {
            graph?.Dispose();
        }

        _graphs.Clear();
    }

    /// <summary>Waits until all that was asked for is done.</summary>
    /// <exception cref="DeviceException">Fault: some of it failed.</exception>
    public void Synchronize()
    {
        _context.MakeCurrent();
        _stream.Synchronize();
    }

    /// <summary>Copies host memory into a buffer, from its element <paramref name="start"/> on. For tests: models only ever upload integers.</summary>
    public void Write<T>(ReadOnlySpan<T> source, DeviceBuffer destination, long start = 0)
        where T : unmanaged
    {
        _context.MakeCurrent();
        fixed (T* from = source)
        {
            _context.Check(_context.Driver.MemcpyHtoDAsync(destination.Address + (nint)(start * sizeof(T)), from, checked((nuint)source.Length * (nuint)sizeof(T)), _stream.Value), "data was copied");
            _stream.Synchronize();
        }
    }

    /// <summary>Copies a buffer to host memory, from its element <paramref name="start"/> on.</summary>
    public void Read<T>(DeviceBuffer source, Span<T> destination, long start = 0)
        where T : unmanaged
    {
        _context.MakeCurrent();
        fixed (T* to = destination)
        {
            _context.Check(_context.Driver.MemcpyDtoHAsync(to, source.Address + (nint)(start * sizeof(T)), checked((nuint)destination.Length * (nuint)sizeof(T)), _stream.Value), "data was copied");
            _stream.Synchronize();
        }
    }

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        foreach (var graph in _graphs.Values)
        {
            graph?.Dispose();
        }

        // What a failed load has left behind, too.
        _allocated.ForEach(memory => memory.Dispose());
        _allocated.Clear();
        _products?.Dispose();
        _download.Dispose();
        _upload.Dispose();
        _arena.Dispose();
        _kernels.Dispose();
        _stream.Dispose();
        _context.Dispose();
    }

    private DeviceBuffer Allocate(DType type, long length, string what)
    {
        var bytes = Math.Max(256, checked(length * type.ByteSize()));    // an empty buffer has an address too
        var memory = DeviceMemory.Allocate(_context, bytes, what);
        if (_allocated.Count == _allocated.Capacity)
        {
            _allocated.RemoveAll(m => m.IsClosed);
        }

        _allocated.Add(memory);
        return new DeviceBuffer(memory.Value, type, length, memory);
    }

    /// <summary>Floats that stay on the card as long as the backend.</summary>
    private DeviceBuffer Constant(string name, ReadOnlySpan<float> values)
    {
        fixed (float* pointer = values)
        {
            return new DeviceBuffer(_arena.Copy(checked(values.Length * (long)sizeof(float)), (nint)pointer, name), DType.F32, values.Length, owner: null);
        }
    }

    private static float Element(DType type, nint address, int i) => type switch
    {
        DType.F32 => System.Runtime.CompilerServices.Unsafe.ReadUnaligned<float>((byte*)address + (4L * i)),
        DType.F16 => (float)System.Runtime.CompilerServices.Unsafe.ReadUnaligned<Half>((byte*)address + (2L * i)),
        _ => BitConverter.UInt32BitsToSingle((uint)System.Runtime.CompilerServices.Unsafe.ReadUnaligned<ushort>((byte*)address + (2L * i)) << 16),
    };

    private static void RefuseType(string name, DType type)
    {
        if (type is not (DType.F32 or DType.F16 or DType.BF16))
        {
            throw new UnsupportedModelException($"Tensor '{name}' is stored as {type}; on a card weights may be F32, F16 or BF16.", name);
        }
    }
}
