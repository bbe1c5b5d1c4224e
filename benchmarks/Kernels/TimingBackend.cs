using System.Diagnostics;
using System.Globalization;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Benchmarks.Kernels;

/// <summary>One call of a verb.</summary>
/// <param name="Verb">Its name; products say their size.</param>
/// <param name="Ticks">Of <see cref="Stopwatch"/>.</param>
/// <param name="Matrices">That it reads.</param>
internal readonly record struct Call(string Verb, long Ticks, (nint Address, long Bytes)[] Matrices)
{
    public long Bytes => Matrices.Sum(m => m.Bytes);
}

/// <summary>A backend that writes down how long the verbs of dense models took.</summary>
internal sealed class TimingBackend(IBackend inner) : IBackend
{
    /// <summary>The calls so far; to be cleared by whoever reads them.</summary>
    public List<Call> Calls { get; } = new(4096);

    public string Name => inner.Name;
    public int Threads => inner.Threads;

    public void Embed(in StepInputs step, Ints ids, Weight table, float scale, Rows output)
    {
        var start = Stopwatch.GetTimestamp();
        inner.Embed(step, ids, table, scale, output);
        Note("embed", start);
    }

    public void RmsNorm(Rows x, DeviceBuffer gain, float epsilon, Rows output, int rows, int groups = 1)
    {
        var start = Stopwatch.GetTimestamp();
        inner.RmsNorm(x, gain, epsilon, output, rows, groups);
        Note("norm", start);
    }

    public void AddRmsNorm(Rows residual, Rows x, float scale, DeviceBuffer gain, float epsilon, Rows output, int rows)
    {
        var start = Stopwatch.GetTimestamp();
        inner.AddRmsNorm(residual, x, scale, gain, epsilon, output, rows);
        Note("norm", start);
    }

    public void Linear(Rows x, ReadOnlySpan<Projection> projections, Rows output, int rows)
    {
        var start = Stopwatch.GetTimestamp();
        inner.Linear(x, projections, output, rows);
        var ticks = Stopwatch.GetTimestamp() - start;
        var matrices = new (nint, long)[projections.Length];
        for (var i = 0; i < matrices.Length; i++)
        {
            var data = projections[i].Matrix.Data;
            matrices[i] = (data.Address, data.Length * data.Type.ByteSize());
        }

        Calls.Add(new Call(string.Create(CultureInfo.InvariantCulture, $"product {output.Columns} x {x.Columns}"), ticks, matrices));
    }

    public void RotaryTable(in StepInputs step, RotaryFrequencies frequencies, Rows table)
    {
        var start = Stopwatch.GetTimestamp();
        inner.RotaryTable(step, frequencies, table);
        Note("rotary table", start);
    }

    public void RotateAndStore(in StepInputs step, int layer, Rows qkv, Rows rotary, RotaryPairs pairs, AttentionShape shape)
    {
        var start = Stopwatch.GetTimestamp();
        inner.RotateAndStore(step, layer, qkv, rotary, pairs, shape);
        Note("rotate and store", start);
    }

    public void PagedAttention(in StepInputs step, int layer, Rows q, Rows output, AttentionShape shape)
    {
        var start = Stopwatch.GetTimestamp();
        inner.PagedAttention(step, layer, q, output, shape);
        Note("attention", start);
    }

    public void GatedActivation(Rows gateUp, Activation activation, Rows output, int rows)
    {
        var start = Stopwatch.GetTimestamp();
        inner.GatedActivation(gateUp, activation, output, rows);
        Note("activation", start);
    }

    public Weight LoadMatrix(string name, DType type, int rows, int columns, nint address) => inner.LoadMatrix(name, type, rows, columns, address);
    public DeviceBuffer LoadVector(string name, DType type, int length, nint address, float offset = 0) => inner.LoadVector(name, type, length, address, offset);
    public Rows AllocateRows(int rows, int columns) => inner.AllocateRows(rows, columns);
    public DeviceBuffer AllocateInts(int length) => inner.AllocateInts(length);
    public KvPages AllocateKvPages(KvLayout layout, IReadOnlyList<int> pages) => inner.AllocateKvPages(layout, pages);
    public long KvPageBytes(KvLayer layer, int pageSize) => inner.KvPageBytes(layer, pageSize);
    public StateSlots AllocateStateSlots(IReadOnlyList<int> sizes, int slots) => inner.AllocateStateSlots(sizes, slots);
    public void Upload(ReadOnlySpan<int> source, DeviceBuffer destination) => inner.Upload(source, destination);
    public Span<float> Download(Rows rows, int row) => inner.Download(rows, row);
    public void GatherRows(Rows x, Ints rowIndexes, Rows output, int count) => inner.GatherRows(x, rowIndexes, output, count);
    public void LayerNorm(Rows x, DeviceBuffer gain, DeviceBuffer? bias, float epsilon, Rows output, int rows) => throw Untimed();
    public void Add(Rows residual, Rows x, float scale, int rows) => throw Untimed();
    public void Activate(Rows x, Activation activation, Rows output, int rows) => throw Untimed();
    public void Multiply(Rows x, Rows gate, Activation activation, Rows output, int rows) => throw Untimed();
    public void ShortConvolution(in StepInputs step, int state, Rows x, DeviceBuffer kernel, DeviceBuffer? bias, Activation? activation, Rows output) => throw Untimed();
    public void SelectiveScan(in StepInputs step, int state, Rows xbc, Rows steps, ScanWeights weights, ScanShape shape, Rows output) => throw Untimed();
    public void GatedDelta(in StepInputs step, int state, Rows qkv, Rows betas, Rows decays, DeltaWeights weights, DeltaShape shape, Rows output) => throw Untimed();
    public void ScaleAndCap(Rows x, float scale, float cap, int rows) => throw Untimed();
    public void MatchMagnitude(Rows x, Rows reference, float floor, Rows output, int rows) => throw Untimed();
    public void CutBelow(Rows x, float deviations, int rows) => throw Untimed();
    public void Route(Rows logits, Routing routing, ExpertPlan plan, int rows) => throw Untimed();
    public void ExpertLinear(Rows x, ExpertPlan plan, ReadOnlySpan<Projection[]> experts, Rows output, int places) => throw Untimed();
    public void CombineExperts(Rows x, ExpertPlan plan, Rows output, int rows) => throw Untimed();
    public void AddGated(Rows residual, Rows x, Rows gate, int rows) => throw Untimed();
    public void Dispose() => inner.Dispose();

    private static NotSupportedException Untimed() => new("Only models of the plain Llama kind are taken apart.");

    private void Note(string verb, long start) => Calls.Add(new Call(verb, Stopwatch.GetTimestamp() - start, []));
}
