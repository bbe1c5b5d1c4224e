using BenchmarkDotNet.Attributes;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Benchmarks.Kernels;

/// <summary>Latent attention in the sizes of DeepSeek V2 Lite: with its products absorbed into query and result, over stored latents; and in the plain form, over stored keys and values.
/// Each call takes the next layer's pages and weights.</summary>
public class LatentBenchmark
{
    private const int Heads = 16, Still = 128, Turning = 64, Value = 128, Latent = 512, Chunk = 512;
    private static readonly AttentionShape Absorbed = new(Heads, 1, Turning + Latent, 0.07f) { ValuesInKeys = Latent };

    /// <summary>Values are as long as keys in the verb; the plain form pays for that with a third of its value reads.</summary>
    private static readonly AttentionShape Plain = new(Heads, Heads, Still + Turning, 0.07f);
    private readonly List<DeviceBuffer> _weights = [];
    private readonly List<Projection[]> _to = [];
    private readonly List<Projection[]> _from = [];
    private readonly List<Projection[]> _up = [];
    private IBackend _backend = null!;
    private StepInputs _step;
    private Rows _queries;
    private Rows _qkv;
    private Rows _mixed;
    private Rows _values;
    private int _layer;

    public static IEnumerable<KernelCase> Cases =>
    [
        Case("decode at 512", 1, 512, plain: false), Case("plain decode at 512", 1, 512, plain: true),
        Case("decode at 4096", 1, 4096, plain: false), Case("plain decode at 4096", 1, 4096, plain: true),
        Case("prefill of 512", Chunk, Chunk, plain: false), Case("plain prefill of 512", Chunk, Chunk, plain: true),
    ];

    [ParamsSource(nameof(Cases))]
    public KernelCase Kernel { get; set; } = null!;

    private bool IsPlain => Kernel.Name.StartsWith("plain", StringComparison.Ordinal);

    [GlobalSetup]
    public void Setup()
    {
        _backend = CpuBackend.Create(Run.Threads);
        var shape = IsPlain ? Plain : Absorbed;
        var kept = IsPlain ? new KvLayer(Heads, Plain.HeadDim) : new KvLayer(1, Absorbed.HeadDim) { ValueDim = 0 };
        var pages = Kernel.Context / Sizes.PageSize;
        var layers = (int)Math.Clamp((256L << 20) / (pages * _backend.KvPageBytes(kept, Sizes.PageSize)), 2, 16);
        var cache = _backend.AllocateKvPages(new KvLayout([.. Enumerable.Repeat(kept, layers)], Sizes.PageSize), [pages]);
        _qkv = _backend.AllocateRows(Kernel.Rows, shape.QkvColumns);
        _queries = _backend.AllocateRows(Kernel.Rows, Heads * (Turning + Still));
        _mixed = _backend.AllocateRows(Kernel.Rows, shape.OutputColumns);
        _values = _backend.AllocateRows(Kernel.Rows, Heads * Math.Max(Value, Still + Turning));
        Projection Matrix(int rows, int columns)
        {
            _weights.Add(DeviceBuffer.OnHost(DType.BF16, (long)rows * columns));
            return new Projection(_backend.LoadMatrix("w", DType.BF16, rows, columns, _weights[^1].Address), Bias: null);
        }

        for (var layer = 0; layer < layers; layer++)
        {
            _to.Add([.. Enumerable.Range(0, Heads).Select(_ => Matrix(Latent, Still))]);
            _from.Add([.. Enumerable.Range(0, Heads).Select(_ => Matrix(Value, Latent))]);
            _up.Add([Matrix(Heads * (Still + Value), Latent)]);
        }

        // Memory that nobody has written is one page of zeros.
        for (var start = 0; start < Kernel.Context; start += Kernel.Rows)
        {
            for (var layer = 0; layer < layers; layer++)
            {
                _backend.RotateAndStore(Steps.Of(_backend, cache, StateSlots.OnHost([], 1), Kernel.Rows, start), layer, _qkv, _qkv.Slice(0, 0), RotaryPairs.Neighbours, shape);
            }
        }

        _step = Steps.Of(_backend, cache, StateSlots.OnHost([], 1), Kernel.Rows, Kernel.Context - Kernel.Rows);
    }

    /// <summary>From the query and the latent to the heads' values. The plain form makes keys and values of the new tokens' latents.</summary>
    [Benchmark]
    public void Attend()
    {
        _layer = (_layer + 1) % _step.Pages.Layers;
        if (IsPlain)
        {
            _backend.Linear(_mixed.Slice(0, Latent), _up[_layer], _qkv.Slice(Plain.QueryColumns, Heads * (Still + Value)), Kernel.Rows);
            _backend.PagedAttention(_step, _layer, _qkv.Slice(0, Plain.QueryColumns), _mixed, Plain);
            return;
        }

        _backend.LinearByHead(_queries, Turning, _to[_layer], _qkv.Slice(0, Absorbed.QueryColumns), Kernel.Rows);
        _backend.PagedAttention(_step, _layer, _qkv.Slice(0, Absorbed.QueryColumns), _mixed, Absorbed);
        _backend.LinearByHead(_mixed, 0, _from[_layer], _values.Slice(0, Heads * Value), Kernel.Rows);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _step.Pages.Dispose();
        _weights.ForEach(w => w.Dispose());
        _backend.Dispose();
    }

    private static KernelCase Case(string name, int rows, int context, bool plain)
    {
        var pairs = rows == 1 ? context : (long)rows * (rows + 1) / 2;
        long weights = 2L * Heads * (Still + Value) * Latent, product = 2L * rows * Heads * (Still + Value) * Latent;
        return plain
            ? new KernelCase(name, rows, weights + (8L * Heads * (Still + Turning) * context), product + (4L * pairs * Heads * (Still + Turning)), Context: context)
            : new KernelCase(name, rows, weights + (4L * (Turning + Latent) * context), product + (2L * pairs * Heads * (Turning + (2 * Latent))), Context: context);
    }
}
