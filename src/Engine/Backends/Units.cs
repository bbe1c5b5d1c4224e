namespace KvPrefetch.Engine.Backends;

/// <summary>The residual stream, and the RMS norm that stands in front of what is added to it.</summary>
/// <param name="Rows"><c>[rows, hidden]</c></param>
/// <param name="Gain"><c>[hidden]</c></param>
/// <param name="Epsilon">Added to the mean square.</param>
/// <param name="Scratch"><c>[rows, hidden]</c>, for whatever a backend needs room for.</param>
internal readonly record struct NormedRows(Rows Rows, DeviceBuffer Gain, float Epsilon, Rows Scratch);

/// <summary>residual += output(attention(rotate(qkv(norm(residual))))) * scale, keys and values stored.</summary>
/// <param name="Layer">Index into the KV cache.</param>
/// <param name="Shape">Heads, head size, scale, window; values are rows of their own.</param>
/// <param name="Qkv">q, k, v.</param>
/// <param name="Rotary"><c>[tokens, rotaryDim]</c>; no columns where nothing turns.</param>
/// <param name="Pairs">Which elements turn together.</param>
/// <param name="Output">Back to the width of the residual.</param>
/// <param name="Scale">Factor on what is added.</param>
/// <param name="QkvRows">Scratch <c>[tokens, QkvColumns]</c>.</param>
/// <param name="Mixed">Scratch <c>[tokens, QueryColumns]</c>.</param>
internal readonly record struct AttentionUnit(int Layer, AttentionShape Shape, Projection[] Qkv, Rows Rotary, RotaryPairs Pairs, Projection[] Output, float Scale, Rows QkvRows, Rows Mixed);

/// <summary>residual += down(activation(gate(norm(residual))) * up(norm(residual))) * scale</summary>
/// <param name="GateUp">gate, up: one matrix or two.</param>
/// <param name="Activation">The gate's function.</param>
/// <param name="Down">Back to the width of the residual.</param>
/// <param name="Scale">Factor on what is added.</param>
/// <param name="GateUpRows">Scratch <c>[rows, 2 * inner]</c>.</param>
/// <param name="Inner">Scratch <c>[rows, inner]</c>.</param>
internal readonly record struct GatedUnit(Projection[] GateUp, Activation Activation, Projection[] Down, float Scale, Rows GateUpRows, Rows Inner);

/// <summary>Verbs of several, one after the other.</summary>
internal static class Units
{
    public static void Attend(IBackend backend, in StepInputs step, NormedRows residual, in AttentionUnit unit)
    {
        var rows = step.TokenCount;
        NormedLinear(backend, residual, unit.Qkv, unit.QkvRows, rows);
        backend.RotateAndStore(step, unit.Layer, unit.QkvRows, unit.Rotary, unit.Pairs, unit.Shape);
        backend.PagedAttention(step, unit.Layer, unit.QkvRows.Slice(0, unit.Shape.QueryColumns), unit.Mixed, unit.Shape);
        AddLinear(backend, residual, unit.Mixed, unit.Output, unit.Scale, rows);
    }

    public static void FeedForward(IBackend backend, NormedRows residual, in GatedUnit unit, int rows)
    {
        NormedLinear(backend, residual, unit.GateUp, unit.GateUpRows, rows);
        backend.GatedActivation(unit.GateUpRows, unit.Activation, unit.Inner, rows);
        AddLinear(backend, residual, unit.Inner, unit.Down, unit.Scale, rows);
    }

    public static void NormedLinear(IBackend backend, NormedRows x, ReadOnlySpan<Projection> projections, Rows output, int rows)
    {
        backend.RmsNorm(x.Rows, x.Gain, x.Epsilon, x.Scratch, rows);
        backend.Linear(x.Scratch, projections, output, rows);
    }

    private static void AddLinear(IBackend backend, NormedRows residual, Rows x, ReadOnlySpan<Projection> projections, float scale, int rows)
    {
        backend.Linear(x, projections, residual.Scratch, rows);
        backend.Add(residual.Rows, residual.Scratch, scale, rows);
    }
}
