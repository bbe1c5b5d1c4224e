using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>down(activation(gate(x)) * up(x))</summary>
/// <param name="GateUp">gate, up: one product.</param>
/// <param name="Down">Back to the model's width.</param>
/// <param name="Activation">The gate's function.</param>
internal sealed record GatedMlp(Projection[] GateUp, Projection[] Down, Activation Activation) : IMixer
{
    /// <summary>Factor on the gate before its function.</summary>
    public float GateScale { get; init; } = 1;

    /// <summary>How far a gate must stand out of its row, in standard deviations, to be more than 0; null: all are what they are.</summary>
    public float? GateCut { get; init; }

    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        // The scratch is as wide as the widest unit of the model.
        var width = Down[0].Matrix.Columns;
        Rows gateUp = scratch.GateUp.Slice(0, 2 * width), inner = scratch.Inner.Slice(0, width);
        backend.Linear(x, GateUp, gateUp, step.TokenCount);
        if (GateScale != 1)
        {
            backend.ScaleAndCap(gateUp.Slice(0, width), GateScale, 0, step.TokenCount);
        }

        if (GateCut is { } deviations)
        {
            backend.CutBelow(gateUp.Slice(0, width), deviations, step.TokenCount);
        }

        backend.GatedActivation(gateUp, Activation, inner, step.TokenCount);
        backend.Linear(inner, Down, output, step.TokenCount);
    }

    public bool TryFold(IBackend backend, in StepInputs step, TransformerScratch scratch, NormedRows residual, float scale)
    {
        if (GateScale != 1 || GateCut is not null)
        {
            return false;
        }

        var width = Down[0].Matrix.Columns;
        backend.FeedForward(residual, new GatedUnit(GateUp, Activation, Down, scale, scratch.GateUp.Slice(0, 2 * width), scratch.Inner.Slice(0, width)), step.TokenCount);
        return true;
    }
}

/// <summary>Two mixers side by side on the same residual: output = first(x) * FirstScale + second(x) * SecondScale.</summary>
internal sealed record WeightedMixers(IMixer First, float FirstScale, IMixer Second, float SecondScale) : IMixer
{
    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        First.Forward(backend, step, scratch, x, output);
        if (FirstScale != 1)
        {
            backend.ScaleAndCap(output, FirstScale, 0, step.TokenCount);
        }

        Second.Forward(backend, step, scratch, x, scratch.Second);
        backend.Add(output, scratch.Second, SecondScale, step.TokenCount);
    }
}

/// <summary>down(activation(up(x)))</summary>
/// <param name="Up">To the inner width.</param>
/// <param name="Down">Back to the model's width.</param>
/// <param name="Activation">The function between.</param>
internal sealed record Mlp(Projection[] Up, Projection[] Down, Activation Activation) : IMixer
{
    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        var inner = scratch.Inner.Slice(0, Down[0].Matrix.Columns);
        backend.Linear(x, Up, inner, step.TokenCount);
        backend.Activate(inner, Activation, inner, step.TokenCount);
        backend.Linear(inner, Down, output, step.TokenCount);
    }
}

/// <summary>Attention and feed-forward unit side by side on the same residual: output = attention(x) + mlp(x), or mlp(MlpNorm(residual)) where it has a norm of its own.</summary>
internal sealed record ParallelMixer(Attention Attention, IMixer Mlp, Norm? MlpNorm = null) : IMixer
{
    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        Attention.Forward(backend, step, scratch, x, scratch.Second);
        MlpNorm?.Forward(backend, scratch.Hidden, x, step.TokenCount);
        Mlp.Forward(backend, step, scratch, x, output);
        backend.Add(output, scratch.Second, 1f, step.TokenCount);
    }
}
