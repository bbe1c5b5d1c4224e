using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Serving;

/// <summary>The CPU backend, which on demand throws in a verb or spoils the logits of one row.</summary>
internal sealed class FaultyBackend : IBackend
{
    private readonly IBackend _inner = CpuBackend.Create(1);

    /// <summary>Thrown by the next product.</summary>
    public Exception? Throw { get; set; }

    /// <summary>Row of logits that becomes NaN; -1 for none.</summary>
    public int SpoiledRow { get; set; } = -1;

    /// <summary>Products that spoil logits are the ones with this many outputs.</summary>
    public int Vocabulary { get; set; }

    public string Name => _inner.Name;
    public int Threads => _inner.Threads;

    public void Linear(Rows x, ReadOnlySpan<Projection> projections, Rows output, int rows)
    {
        if (Throw is { } error)
        {
            throw error;
        }

        _inner.Linear(x, projections, output, rows);
        if (output.Columns == Vocabulary && SpoiledRow >= 0 && SpoiledRow < rows)
        {
            _inner.Download(output, SpoiledRow).Fill(float.NaN);
            SpoiledRow = -1;
        }
    }

    public Weight LoadMatrix(string name, DType type, int rows, int columns, nint address) => _inner.LoadMatrix(name, type, rows, columns, address);
    public DeviceBuffer LoadVector(string name, DType type, int length, nint address, float offset = 0) => _inner.LoadVector(name, type, length, address, offset);
    public Rows AllocateRows(int rows, int columns) => _inner.AllocateRows(rows, columns);
    public DeviceBuffer AllocateInts(int length) => _inner.AllocateInts(length);
    public void MatchMagnitude(Rows x, Rows reference, float floor, Rows output, int rows) => _inner.MatchMagnitude(x, reference, floor, output, rows);
    public void CutBelow(Rows x, float deviations, int rows) => _inner.CutBelow(x, deviations, rows);
    public KvPages AllocateKvPages(KvLayout layout, IReadOnlyList<int> pages) => _inner.AllocateKvPages(layout, pages);
    public long KvPageBytes(KvLayer layer, int pageSize) => _inner.KvPageBytes(layer, pageSize);
    public StateSlots AllocateStateSlots(IReadOnlyList<int> sizes, int slots) => _inner.AllocateStateSlots(sizes, slots);
    public void Multiply(Rows x, Rows gate, Activation activation, Rows output, int rows) => _inner.Multiply(x, gate, activation, output, rows);
    public void ShortConvolution(in StepInputs step, int state, Rows x, DeviceBuffer kernel, DeviceBuffer? bias, Activation? activation, Rows output) => _inner.ShortConvolution(step, state, x, kernel, bias, activation, output);
    public void SelectiveScan(in StepInputs step, int state, Rows xbc, Rows steps, ScanWeights weights, ScanShape shape, Rows output) => _inner.SelectiveScan(step, state, xbc, steps, weights, shape, output);
    public void GatedDelta(in StepInputs step, int state, Rows qkv, Rows betas, Rows decays, DeltaWeights weights, DeltaShape shape, Rows output) => _inner.GatedDelta(step, state, qkv, betas, decays, weights, shape, output);
    public void Upload(ReadOnlySpan<int> source, DeviceBuffer destination) => _inner.Upload(source, destination);
    public Span<float> Download(Rows rows, int row) => _inner.Download(rows, row);
    public void Embed(in StepInputs step, Ints ids, Weight table, float scale, Rows output) => _inner.Embed(step, ids, table, scale, output);
    public void RmsNorm(Rows x, DeviceBuffer gain, float epsilon, Rows output, int rows, int groups = 1) => _inner.RmsNorm(x, gain, epsilon, output, rows, groups);
    public void AddRmsNorm(Rows residual, Rows x, float scale, DeviceBuffer gain, float epsilon, Rows output, int rows) => _inner.AddRmsNorm(residual, x, scale, gain, epsilon, output, rows);
    public void LayerNorm(Rows x, DeviceBuffer gain, DeviceBuffer? bias, float epsilon, Rows output, int rows) => _inner.LayerNorm(x, gain, bias, epsilon, output, rows);
    public void Add(Rows residual, Rows x, float scale, int rows) => _inner.Add(residual, x, scale, rows);
    public void RotaryTable(in StepInputs step, RotaryFrequencies frequencies, Rows table) => _inner.RotaryTable(step, frequencies, table);
    public void RotateAndStore(in StepInputs step, int layer, Rows qkv, Rows rotary, RotaryPairs pairs, AttentionShape shape) => _inner.RotateAndStore(step, layer, qkv, rotary, pairs, shape);
    public void PagedAttention(in StepInputs step, int layer, Rows q, Rows output, AttentionShape shape) => _inner.PagedAttention(step, layer, q, output, shape);
    public void GatedActivation(Rows gateUp, Activation activation, Rows output, int rows) => _inner.GatedActivation(gateUp, activation, output, rows);
    public void Activate(Rows x, Activation activation, Rows output, int rows) => _inner.Activate(x, activation, output, rows);
    public void ScaleAndCap(Rows x, float scale, float cap, int rows) => _inner.ScaleAndCap(x, scale, cap, rows);
    public void GatherRows(Rows x, Ints rowIndexes, Rows output, int count) => _inner.GatherRows(x, rowIndexes, output, count);
    public void Route(Rows logits, Routing routing, ExpertPlan plan, int rows) => _inner.Route(logits, routing, plan, rows);
    public void ExpertLinear(Rows x, ExpertPlan plan, ReadOnlySpan<Projection[]> experts, Rows output, int places) => _inner.ExpertLinear(x, plan, experts, output, places);
    public void CombineExperts(Rows x, ExpertPlan plan, Rows output, int rows) => _inner.CombineExperts(x, plan, output, rows);
    public void AddGated(Rows residual, Rows x, Rows gate, int rows) => _inner.AddGated(residual, x, gate, rows);
    public void Dispose() => _inner.Dispose();
}
