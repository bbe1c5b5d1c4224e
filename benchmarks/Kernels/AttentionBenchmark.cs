using BenchmarkDotNet.Attributes;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Benchmarks.Kernels;

/// <summary>Attention over the paged cache. Each call takes the next layer's pages, as a step does.</summary>
public class AttentionBenchmark
{
    private const int Chunk = 512;
    private static readonly AttentionShape Shape = new(Sizes.Heads, Sizes.KvHeads, Sizes.HeadDim, 0.125f);
    private IBackend _backend = null!;
    private StepInputs _step;
    private Rows _qkv;
    private Rows _output;
    private int _layer;

    public static IEnumerable<KernelCase> Cases => [Attention("decode at 512", 1, 512), Attention("decode at 4096", 1, 4096), Attention("prefill of 512", Chunk, Chunk)];

    [ParamsSource(nameof(Cases))]
    public KernelCase Kernel { get; set; } = null!;

    /// <summary>Type of keys and values; the bytes are counted as float32 in all.</summary>
    [Params(DType.F32, DType.BF16, DType.I8)]
    public DType Cache { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _backend = CpuBackend.Create(Run.Threads, cache: Cache);
        var pages = Kernel.Context / Sizes.PageSize;
        var layers = Math.Max(1, (int)(Sizes.WorkingSetBytes / 2 / (pages * _backend.KvPageBytes(new KvLayer(Sizes.KvHeads, Sizes.HeadDim), Sizes.PageSize))));
        var cache = _backend.AllocateKvPages(KvLayout.Uniform(layers, Sizes.KvHeads, Sizes.HeadDim, Sizes.PageSize), [pages]);
        _qkv = _backend.AllocateRows(Chunk, Shape.QkvColumns);
        _output = _backend.AllocateRows(Chunk, Shape.QueryColumns);
        var rotary = _backend.AllocateRows(Chunk, Sizes.HeadDim);
        var frequencies = new RotaryFrequencies([.. Enumerable.Range(0, Sizes.HeadDim / 2).Select(i => MathF.Pow(100_000, -2f * i / Sizes.HeadDim))], 1);
        for (var start = 0; start < Kernel.Context; start += Chunk)
        {
            var step = Steps.Of(_backend, cache, StateSlots.OnHost([], 1), Chunk, start);
            _backend.RotaryTable(step, frequencies, rotary);
            for (var layer = 0; layer < layers; layer++)
            {
                for (var row = 0; row < Chunk; row++)
                {
                    _backend.Download(_qkv, row).Fill(0.01f * (row % 7));
                }

                _backend.RotateAndStore(step, layer, _qkv, rotary, RotaryPairs.Halves, Shape);
            }
        }

        _step = Steps.Of(_backend, cache, StateSlots.OnHost([], 1), Kernel.Rows, Kernel.Context - Kernel.Rows);
    }

    [Benchmark]
    public void PagedAttention()
    {
        _backend.PagedAttention(_step, _layer, _qkv.Slice(0, Shape.QueryColumns), _output, Shape);
        _layer = (_layer + 1) % _step.Pages.Layers;
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _step.Pages.Dispose();
        _qkv.Buffer.Dispose();
        _output.Buffer.Dispose();
        _backend.Dispose();
    }

    /// <summary>K and V of the whole context once, whatever the number of rows; a prefill needs half of the scores.</summary>
    private static KernelCase Attention(string name, int rows, int context)
    {
        var pairs = rows == 1 ? context : (long)rows * (rows + 1) / 2;
        var cache = 2L * Sizes.KvHeads * Sizes.HeadDim * context * sizeof(float);
        return new KernelCase(name, rows, cache + (2L * rows * Shape.QueryColumns * sizeof(float)), 4L * pairs * Shape.QueryColumns, Context: context);
    }
}
