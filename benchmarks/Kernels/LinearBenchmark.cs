using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Benchmarks.Kernels;

/// <summary>The matrix products of a step. Each call takes the next of many weights, as a decode step does: none is in a cache.</summary>
public class LinearBenchmark
{
    private static readonly Lazy<ushort[]> Weights = new(MakeWeights);
    private IBackend _backend = null!;
    private Rows _x;
    private Rows _output;
    private Projection[][] _projections = [];
    private int _next;

    public static IEnumerable<KernelCase> Cases =>
        from rows in new[] { 1, 8, 512 }
        from kernel in new[]
        {
            KernelCase.Linear($"q, k, v x {rows}", rows, (Sizes.Heads + (2 * Sizes.KvHeads)) * Sizes.HeadDim, Sizes.Hidden),
            KernelCase.Linear($"attention output x {rows}", rows, Sizes.Hidden, Sizes.Heads * Sizes.HeadDim),
            KernelCase.Linear($"gate, up x {rows}", rows, 2 * Sizes.Intermediate, Sizes.Hidden),
            KernelCase.Linear($"down x {rows}", rows, Sizes.Hidden, Sizes.Intermediate),
            KernelCase.Linear($"head x {rows}", rows, Sizes.Vocabulary, Sizes.Hidden),
        }
        select kernel;

    [ParamsSource(nameof(Cases))]
    public KernelCase Kernel { get; set; } = null!;

    [GlobalSetup]
    public void Setup()
    {
        _backend = CpuBackend.Create(Run.Threads);
        _x = _backend.AllocateRows(Kernel.Rows, Kernel.Inputs);
        _output = _backend.AllocateRows(Kernel.Rows, Kernel.Outputs);
        for (var row = 0; row < Kernel.Rows; row++)
        {
            _backend.Download(_x, row).Fill(0.5f);
        }

        var elements = Kernel.Outputs * Kernel.Inputs;
        _projections = [.. Enumerable.Range(0, Weights.Value.Length / elements).Select(i => new[]
        {
            new Projection(_backend.LoadMatrix("weight", DType.BF16, Kernel.Outputs, Kernel.Inputs, Marshal.UnsafeAddrOfPinnedArrayElement(Weights.Value, i * elements)), Bias: null),
        })];
    }

    [Benchmark]
    public void Linear()
    {
        _backend.Linear(_x, _projections[_next], _output, Kernel.Rows);
        _next = (_next + 1) % _projections.Length;
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _x.Buffer.Dispose();
        _output.Buffer.Dispose();
        _backend.Dispose();
    }

    /// <summary>bf16 values between 0.5 and 1, on pages that really exist.</summary>
    private static ushort[] MakeWeights()
    {
        var weights = GC.AllocateUninitializedArray<ushort>((int)(Sizes.WorkingSetBytes / sizeof(ushort)), pinned: true);
        for (var i = 0; i < weights.Length; i++)
        {
            weights[i] = (ushort)(0x3F00 | (i & 0x7F));
        }

        return weights;
    }
}
