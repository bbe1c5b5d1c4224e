using BenchmarkDotNet.Attributes;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Benchmarks.Kernels;

/// <summary>Kernels that pass over rows of activations once. Activations stay in the caches between kernels, so these may exceed the bandwidth of memory.</summary>
public abstract class RowBenchmark
{
    private protected IBackend Backend { get; private set; } = null!;

    public abstract KernelCase Kernel { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        Backend = CpuBackend.Create(Run.Threads);
        Allocate();
    }

    [GlobalCleanup]
    public void Cleanup() => Backend.Dispose();

    protected abstract void Allocate();

    private protected Rows Filled(int columns)
    {
        var rows = Backend.AllocateRows(Kernel.Rows, columns);
        for (var row = 0; row < Kernel.Rows; row++)
        {
            Backend.Download(rows, row).Fill(0.001f * row);
        }

        return rows;
    }
}

/// <summary>residual += x, normalised into output.</summary>
public class NormBenchmark : RowBenchmark
{
    private Rows _residual;
    private Rows _x;
    private Rows _output;
    private DeviceBuffer _gain = null!;

    public static IEnumerable<KernelCase> Cases => new[] { 1, 512 }.Select(rows => new KernelCase($"add and normalise x {rows}", rows, 16L * rows * Sizes.Hidden, 5L * rows * Sizes.Hidden));

    [ParamsSource(nameof(Cases))]
    public override KernelCase Kernel { get; set; } = null!;

    [Benchmark]
    public void AddRmsNorm() => Backend.AddRmsNorm(_residual, _x, 1f, _gain, 1e-5f, _output, Kernel.Rows);

    protected override void Allocate() =>
        (_residual, _x, _output, _gain) = (Filled(Sizes.Hidden), Filled(Sizes.Hidden), Filled(Sizes.Hidden), DeviceBuffer.OnHost(DType.F32, Sizes.Hidden));
}

/// <summary>silu(gate) * up.</summary>
public class ActivationBenchmark : RowBenchmark
{
    private Rows _gateUp;
    private Rows _output;

    public static IEnumerable<KernelCase> Cases => new[] { 1, 512 }.Select(rows => new KernelCase($"silu(gate) * up x {rows}", rows, 12L * rows * Sizes.Intermediate, 10L * rows * Sizes.Intermediate));

    [ParamsSource(nameof(Cases))]
    public override KernelCase Kernel { get; set; } = null!;

    [Benchmark]
    public void GatedActivation() => Backend.GatedActivation(_gateUp, ActivationKind.Silu, _output, Kernel.Rows);

    protected override void Allocate() => (_gateUp, _output) = (Filled(2 * Sizes.Intermediate), Filled(Sizes.Intermediate));
}
