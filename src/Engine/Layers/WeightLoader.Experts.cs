using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>Experts as they are published: a matrix each, or stacked in one tensor.</summary>
internal sealed unsafe partial class WeightLoader
{
    /// <summary><c>experts.0.gate_proj.weight</c> and so on; or <c>experts.gate_up_proj</c> and <c>experts.down_proj</c>, where they are stacked.</summary>
    public ExpertWeights Experts(int count, int hidden, int inner, string gate = "gate_proj", string up = "up_proj", string down = "down_proj")
    {
        if (Contains("experts.gate_up_proj"))
        {
            return StackedExperts("experts.gate_up_proj", "experts.down_proj", count, hidden, inner);
        }

        WeightLoader[] each = [.. Enumerable.Range(0, count).Select(e => Scope($"experts.{e}."))];
        return new ExpertWeights(
            [.. each.Select(w => (Projection[])[w.Linear(gate, inner, hidden), w.Linear(up, inner, hidden)])],
            [.. each.Select(w => (Projection[])[w.Linear(down, hidden, inner)])]);
    }

    /// <summary>The same without gates: <c>experts.0.up_proj.weight</c> and so on, or <c>experts.up_proj</c> and <c>experts.down_proj</c>.</summary>
    public ExpertWeights UngatedExperts(int count, int hidden, int inner)
    {
        if (Contains("experts.up_proj"))
        {
            return new ExpertWeights(Stack("experts.up_proj", count, inner, hidden), Stack("experts.down_proj", count, hidden, inner));
        }

        WeightLoader[] each = [.. Enumerable.Range(0, count).Select(e => Scope($"experts.{e}."))];
        return new ExpertWeights(
            [.. each.Select(w => (Projection[])[w.Linear("up_proj", inner, hidden)])],
            [.. each.Select(w => (Projection[])[w.Linear("down_proj", hidden, inner)])]);
    }

    /// <summary>Two tensors: <c>[count, gate | up, hidden]</c> and <c>[count, hidden, inner]</c>.</summary>
    public ExpertWeights StackedExperts(string gateUp, string down, int count, int hidden, int inner) =>
        new(Stack(gateUp, count, 2 * inner, hidden), Stack(down, count, hidden, inner));

    /// <summary>Two tensors with inputs before outputs, <c>[count, hidden, 2 * inner]</c> with gate and up in turn and <c>[count, inner, hidden]</c>, and their biases <c>name_bias</c>; the matrices are copied. Or the same in four-bit floats with outputs before inputs, <c>_blocks</c> and <c>_scales</c>, used where they lie.</summary>
    public ExpertWeights TransposedExperts(string gateUp, string down, int count, int hidden, int inner)
    {
        if (TryFourBitExperts(gateUp, down, count, hidden, inner, out var packed))
        {
            return packed;
        }

        var (first, firstBias) = (Whole(gateUp, count, hidden, 2L * inner), Whole(gateUp + "_bias", count, 2L * inner));
        var (second, secondBias) = (Whole(down, count, inner, hidden), Whole(down + "_bias", count, hidden));
        Projection Half(int expert, int half) => new(
            Transposed(first, gateUp, 2L * hidden * inner * expert, hidden, 2 * inner, half, step: 2),
            Strided(firstBias, gateUp + "_bias", (2L * inner * expert) + half, inner, step: 2));
        return new ExpertWeights(
            [.. Enumerable.Range(0, count).Select(e => (Projection[])[Half(e, 0), Half(e, 1)])],
            [.. Enumerable.Range(0, count).Select(e => (Projection[])[new(Transposed(second, down, (long)hidden * inner * e, inner, hidden), Part(secondBias, down + "_bias", (long)hidden * e, hidden))])]);
    }

    /// <summary>One tensor <c>[count, outputs, inputs]</c>.</summary>
    private Projection[][] Stack(string name, int count, int outputs, int inputs)
    {
        var tensor = Whole(name, count, outputs, inputs);
        return [.. Enumerable.Range(0, count).Select(e => (Projection[])[new(RowsOf(tensor, name, (long)outputs * e, outputs, inputs), Bias: null)])];
    }
}
