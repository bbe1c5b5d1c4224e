using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>The matrices of a layer's experts, expert by expert; all of the same shapes and type.</summary>
/// <param name="GateUp">gate, up: <c>[inner | inner, width]</c>, or up alone where experts have no gate: <c>[inner, width]</c></param>
/// <param name="Down"><c>[width, inner]</c></param>
/// <exception cref="UnsupportedModelException">The checkpoint mixes types among the experts of a layer.</exception>
internal sealed record ExpertWeights(Projection[][] GateUp, Projection[][] Down)
{
    public Projection[][] GateUp { get; } = OfOneType(GateUp);
    public Projection[][] Down { get; } = OfOneType(Down);

    /// <summary>Columns of an expert's input and output.</summary>
    public int Width => Down[0].Sum(p => p.Matrix.Rows);
    public int Inner => Down[0][0].Matrix.Columns;

    /// <summary>Columns of an expert's first product.</summary>
    public int FirstColumns => GateUp[0].Sum(p => p.Matrix.Rows);

    private static Projection[][] OfOneType(Projection[][] experts)
    {
        // Empty ones are missing, which is reported elsewhere.
        var bound = experts.SelectMany(e => e).Select(p => p.Matrix).Where(m => m.Data.Length > 0).ToList();
        var other = bound.Find(m => m.Type != bound[0].Type || m.Packed is null != (bound[0].Packed is null));
        return other is null ? experts : throw new UnsupportedModelException($"'{bound[0].Name}' is stored as {bound[0].Type} and '{other.Name}' as {other.Type}; the experts of a layer must be of one type.", other.Name);
    }
}

/// <summary>A unit that every token goes through beside its experts.</summary>
/// <param name="Unit">The unit.</param>
/// <param name="Gate">One output; the unit's result is multiplied by its sigmoid. Null: added as it is.</param>
internal sealed record SharedExpert(IMixer Unit, Projection[]? Gate = null);

/// <summary>Products to the width that experts work in, where it is not the model's, and back.</summary>
internal sealed record ExpertLatent(Projection[] Down, Projection[] Up)
{
    public int Width => Down[0].Matrix.Rows;
}

/// <summary>Mixture of experts: a router sends each token to a few units, gated or not, and adds what they say, weighted. Each chosen expert's weights are read once a step.</summary>
/// <param name="Router"><c>[experts, hidden]</c></param>
/// <param name="Routing">How the choice is made.</param>
/// <param name="Weights">The experts.</param>
/// <param name="Activation">The units' function.</param>
/// <param name="Shared">Or null.</param>
internal sealed record Experts(Projection[] Router, Routing Routing, ExpertWeights Weights, Activation Activation, SharedExpert? Shared = null) : IMixer
{
    /// <summary>Null where experts are as wide as the model.</summary>
    public ExpertLatent? Latent { get; init; }

    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output) => Forward(backend, step, scratch, x, x, output);

    /// <param name="backend">Where it runs.</param>
    /// <param name="step">The tokens.</param>
    /// <param name="scratch">Working memory.</param>
    /// <param name="routed">What the router sees.</param>
    /// <param name="x">What the experts see.</param>
    /// <param name="output">What they say; may be the memory of <paramref name="routed"/>.</param>
    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows routed, Rows x, Rows output)
    {
        var s = scratch.Experts ?? throw new InvalidOperationException("The model's widths lack those of its experts.");
        int rows = step.TokenCount, places = rows * Routing.Chosen;
        Rows at = s.Places.Slice(0, Weights.Width), first = s.GateUp.Slice(0, Weights.FirstColumns), inner = s.Inner.Slice(0, Weights.Inner);
        var input = x;
        backend.Linear(routed, Router, s.Logits, rows);
        backend.Route(s.Logits, Routing, s.Plan, rows);
        if (Latent is not null)
        {
            input = s.Latent.Slice(0, Latent.Width);
            backend.Linear(x, Latent.Down, input, rows);
        }

        backend.GatherRows(input, new Ints(s.Plan.Tokens, 0), at, places);
        backend.ExpertLinear(at, s.Plan, Weights.GateUp, first, places);
        if (first.Columns == inner.Columns)
        {
            backend.Activate(first, Activation, inner, places);
        }
        else
        {
            backend.GatedActivation(first, Activation, inner, places);
        }

        backend.ExpertLinear(inner, s.Plan, Weights.Down, at, places);

        // The shared unit reads x, which may be the memory of no output: first its result, then the sum.
        Shared?.Unit.Forward(backend, step, scratch, x, s.Shared);
        if (Shared?.Gate is { } gate)
        {
            backend.Linear(x, gate, s.SharedGate, rows);
        }

        if (Latent is null)
        {
            backend.CombineExperts(at, s.Plan, output, rows);
        }
        else
        {
            backend.CombineExperts(at, s.Plan, input, rows);
            backend.Linear(input, Latent.Up, output, rows);
        }

        if (Shared?.Gate is not null)
        {
            backend.AddGated(output, s.Shared, s.SharedGate, rows);
        }
        else if (Shared is not null)
        {
            backend.Add(output, s.Shared, 1f, rows);
        }
    }
}

/// <summary>A dense unit with experts beside it, which see the residual through norms of their own: output = denseNorm(dense(x)) + expertsNorm(experts(inputNorm(residual))), routed by routerNorm(residual).</summary>
/// <param name="Dense">Every token's.</param>
/// <param name="DenseNorm">Behind it.</param>
/// <param name="Experts">Without a shared unit.</param>
/// <param name="RouterNorm">Before the router.</param>
/// <param name="InputNorm">Before the experts.</param>
/// <param name="ExpertsNorm">Behind them.</param>
internal sealed record ExpertsBeside(IMixer Dense, Norm DenseNorm, Experts Experts, Norm RouterNorm, Norm InputNorm, Norm ExpertsNorm) : IMixer
{
    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        Dense.Forward(backend, step, scratch, x, output);
        DenseNorm.Forward(backend, output, output, step.TokenCount);
        RouterNorm.Forward(backend, scratch.Hidden, x, step.TokenCount);
        InputNorm.Forward(backend, scratch.Hidden, scratch.Second, step.TokenCount);
        Experts.Forward(backend, step, scratch, x, scratch.Second, x);
        ExpertsNorm.Forward(backend, x, x, step.TokenCount);
        backend.Add(output, x, 1f, step.TokenCount);
    }
}

/// <summary>Activations of experts, allocated once for the largest step.</summary>
internal sealed class ExpertScratch(IBackend backend, int tokens, int hidden, ExpertWidths widths) : IDisposable
{
    public ExpertPlan Plan { get; } = ExpertPlan.Allocate(backend, tokens, widths.Count, widths.Chosen);

    /// <summary><c>[tokens, experts]</c></summary>
    public Rows Logits { get; } = backend.AllocateRows(tokens, widths.Count);

    /// <summary><c>[tokens * chosen, hidden or latent]</c>: inputs, then outputs of the experts.</summary>
    public Rows Places { get; } = backend.AllocateRows(checked(tokens * widths.Chosen), Math.Max(hidden, widths.Latent));

    /// <summary><c>[tokens, latent]</c>: a token's input, then the sum of its experts, where they work in a width of their own.</summary>
    public Rows Latent { get; } = backend.AllocateRows(tokens, widths.Latent);

    /// <summary><c>[tokens * chosen, 2 * inner]</c></summary>
    public Rows GateUp { get; } = backend.AllocateRows(checked(tokens * widths.Chosen), checked(2 * widths.Inner));

    /// <summary><c>[tokens * chosen, inner]</c></summary>
    public Rows Inner { get; } = backend.AllocateRows(checked(tokens * widths.Chosen), widths.Inner);

    /// <summary><c>[tokens, hidden]</c></summary>
    public Rows Shared { get; } = backend.AllocateRows(tokens, hidden);

    /// <summary><c>[tokens, 1]</c></summary>
    public Rows SharedGate { get; } = backend.AllocateRows(tokens, 1);

    public void Dispose()
    {
        Plan.Dispose();
        foreach (var rows in (ReadOnlySpan<Rows>)[Logits, Places, Latent, GateUp, Inner, Shared, SharedGate])
        {
            rows.Buffer.Dispose();
        }
    }
}
