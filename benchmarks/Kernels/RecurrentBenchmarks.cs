using BenchmarkDotNet.Attributes;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Benchmarks.Kernels;

/// <summary>Verbs of recurrent layers: one sequence, whose state is read and written once a token. Each call takes the next layer's state, as a step does.</summary>
public abstract class RecurrentBenchmark : RowBenchmark
{
    /// <summary>Beyond every cache, and little enough for a shared machine.</summary>
    private const long WorkingSetBytes = 256L << 20;

    private protected StepInputs Step { get; private set; }

    /// <summary>The layer of this call.</summary>
    private protected int Layer => _next++ % Step.States.States;

    private int _next;

    private protected void AllocateStates(int size)
    {
        var layers = Kernel.Rows == 1 ? (int)(WorkingSetBytes / sizeof(float) / size) : 1;
        var pages = Backend.AllocateKvPages(new KvLayout([], Sizes.PageSize), [1]);
        Step = Steps.Of(Backend, pages, Backend.AllocateStateSlots([.. Enumerable.Repeat(size, layers)], 1), Kernel.Rows, start: 1);
    }

    private protected Rows Random(int columns)
    {
        var random = new Random(columns);
        var rows = Backend.AllocateRows(Kernel.Rows, columns);
        for (var row = 0; row < Kernel.Rows; row++)
        {
            foreach (ref var value in Backend.Download(rows, row))
            {
                value = random.NextSingle() - 0.5f;
            }
        }

        return rows;
    }

    private protected static IEnumerable<KernelCase> Cases(string name, long state, long columns, long flopsPerElement) =>
        new[] { 1, 512 }.Select(rows => new KernelCase($"{name} x {rows}", rows, (2 * 4 * state) + (4 * rows * columns), rows * state * flopsPerElement));
}

/// <summary>Gated delta rule in the sizes of Qwen 3.5 9B.</summary>
public class GatedDeltaBenchmark : RecurrentBenchmark
{
    private static readonly DeltaShape Shape = new(16, 32, 128, 128);
    private Rows _qkv;
    private Rows _heads;
    private Rows _output;
    private DeltaWeights _weights = null!;

    public static IEnumerable<KernelCase> Cases() => Cases("gated delta rule", Shape.StateElements, Shape.QkvColumns + Shape.ValueColumns, 7);

    [ParamsSource(nameof(Cases))]
    public override KernelCase Kernel { get; set; } = null!;

    [Benchmark]
    public void GatedDelta() => Backend.GatedDelta(Step, Layer, _qkv, _heads, _heads, _weights, Shape, _output);

    protected override void Allocate()
    {
        AllocateStates(Shape.StateElements);
        (_qkv, _heads, _output) = (Random(Shape.QkvColumns), Random(Shape.ValueHeads), Random(Shape.ValueColumns));
        _weights = new DeltaWeights(DeviceBuffer.OnHost(DType.F32, Shape.ValueHeads), DeviceBuffer.OnHost(DType.F32, Shape.ValueHeads));
    }
}

/// <summary>Selective scan in the sizes of Nemotron Nano 2.</summary>
public class SelectiveScanBenchmark : RecurrentBenchmark
{
    private static readonly ScanShape Shape = new(128, 80, 8, 128);
    private Rows _xbc;
    private Rows _steps;
    private Rows _output;
    private ScanWeights _weights = null!;

    public static IEnumerable<KernelCase> Cases() => Cases("selective scan", Shape.StateElements, Shape.XbcColumns + Shape.Columns, 5);

    [ParamsSource(nameof(Cases))]
    public override KernelCase Kernel { get; set; } = null!;

    [Benchmark]
    public void SelectiveScan() => Backend.SelectiveScan(Step, Layer, _xbc, _steps, _weights, Shape, _output);

    protected override void Allocate()
    {
        AllocateStates(Shape.StateElements);
        (_xbc, _steps, _output) = (Random(Shape.XbcColumns), Random(Shape.Heads), Random(Shape.Columns));
        DeviceBuffer Heads() => DeviceBuffer.OnHost(DType.F32, Shape.Heads);
        _weights = new ScanWeights(Heads(), Heads(), Heads());
    }
}

/// <summary>Short convolution in the sizes of Nemotron Nano 2.</summary>
public class ShortConvolutionBenchmark : RecurrentBenchmark
{
    private const int Columns = 12288, Width = 4;
    private Rows _x;
    private DeviceBuffer _kernel = null!;

    public static IEnumerable<KernelCase> Cases() => Cases("short convolution", Columns * (Width - 1), 2 * Columns, 2);

    [ParamsSource(nameof(Cases))]
    public override KernelCase Kernel { get; set; } = null!;

    [Benchmark]
    public void ShortConvolution() => Backend.ShortConvolution(Step, Layer, _x, _kernel, bias: null, ActivationKind.Silu, _x);

    protected override void Allocate()
    {
        AllocateStates(Columns * (Width - 1));
        (_x, _kernel) = (Random(Columns), DeviceBuffer.OnHost(DType.F32, Columns * Width));
    }
}
