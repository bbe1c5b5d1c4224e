using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>Alternating updates: several residual streams, of which a layer computes one; the others are predicted from all and corrected by what the computed one turned out to be.
/// Between layers the streams lie in <see cref="TransformerScratch.Streams"/>, within a layer the predictions in <see cref="TransformerScratch.Predictions"/>, and the active one is the residual stream.</summary>
internal static class AltUp
{
    /// <summary>Least mean square that a new stream is divided by.</summary>
    public const float Floor = 1e-5f;

    /// <summary>Stream <paramref name="i"/> of several side by side.</summary>
    public static Rows Part(Rows streams, int i, int hidden) => streams.Slice(i * hidden, hidden);

    public static void Copy(IBackend backend, Rows from, Rows to, int rows) => backend.Activate(from, ActivationKind.Identity, to, rows);
}

/// <summary>Makes the streams of the embedding: the first is the embedding, the others are products of it, as large as it is. The active one goes on.</summary>
/// <param name="Projections">For each stream but the first.</param>
/// <param name="Active">The stream that layers compute.</param>
internal sealed record AltUpStart(Projection[][] Projections, int Active) : IMixer
{
    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        var rows = step.TokenCount;
        AltUp.Copy(backend, x, AltUp.Part(scratch.Streams, 0, x.Columns), rows);
        for (var i = 1; i <= Projections.Length; i++)
        {
            var stream = AltUp.Part(scratch.Streams, i, x.Columns);
            backend.Linear(x, Projections[i - 1], stream, rows);
            backend.MatchMagnitude(stream, x, AltUp.Floor, stream, rows);
        }

        AltUp.Copy(backend, AltUp.Part(scratch.Streams, Active, x.Columns), output, rows);
    }
}

/// <summary>What the active stream says about mixing: tanh(router(norm(x))).</summary>
/// <param name="Norm">Its gain includes the factor on the router's input.</param>
/// <param name="Router"><c>[streams, hidden]</c></param>
internal sealed record AltUpRouter(Norm Norm, Projection[] Router)
{
    /// <summary>Writes <c>[tokens, streams]</c>; uses <see cref="TransformerScratch.Second"/>.</summary>
    public void Forward(IBackend backend, TransformerScratch scratch, Rows x, Rows output, int rows)
    {
        Norm.Forward(backend, x, scratch.Second, rows);
        backend.Linear(scratch.Second, Router, output, rows);
        backend.ScaleAndCap(output, 1, cap: 1, rows);
    }
}

/// <summary>Before a layer: predicts every stream as itself plus a mixture of all. Gives the active one.</summary>
/// <param name="Router">From the active stream.</param>
/// <param name="Coefficients"><c>[streams * streams, streams]</c>: for each stream, the share of every stream in it.</param>
/// <param name="Active">The stream that layers compute.</param>
internal sealed record AltUpPredict(AltUpRouter Router, Projection[] Coefficients, int Active) : IMixer
{
    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        int rows = step.TokenCount, streams = Router.Router[0].Matrix.Rows;
        Rows modalities = scratch.Projected.Slice(0, streams), shares = scratch.Projected.Slice(streams, streams * streams);
        Router.Forward(backend, scratch, x, modalities, rows);
        backend.Linear(modalities, Coefficients, shares, rows);
        for (var i = 0; i < streams; i++)
        {
            var prediction = AltUp.Part(scratch.Predictions, i, x.Columns);
            AltUp.Copy(backend, AltUp.Part(scratch.Streams, i, x.Columns), prediction, rows);
            for (var j = 0; j < streams; j++)
            {
                backend.Multiply(AltUp.Part(scratch.Streams, j, x.Columns), shares.Slice((i * streams) + j, 1), ActivationKind.Identity, scratch.Second, rows);
                backend.Add(prediction, scratch.Second, 1, rows);
            }
        }

        AltUp.Copy(backend, AltUp.Part(scratch.Predictions, Active, x.Columns), output, rows);
    }
}

/// <summary>Behind a layer: moves every prediction by its share of what the active one was wrong, then adds the layer's own embedding to all streams but the first. Gives the active one.</summary>
/// <param name="Router">From what the layer computed.</param>
/// <param name="Coefficients"><c>[streams, streams]</c>, with a bias of 1.</param>
/// <param name="Active">The stream that layers compute.</param>
/// <param name="Input">The layer's own embedding.</param>
/// <param name="InputNorm">Behind it.</param>
internal sealed record AltUpCorrect(AltUpRouter Router, Projection[] Coefficients, int Active, PerLayerInput Input, Norm InputNorm) : IMixer
{
    /// <summary>Factors on the columns of the active stream before it gates the embedding, or null.</summary>
    public DeviceBuffer? Scale { get; init; }

    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        int rows = step.TokenCount, streams = Router.Router[0].Matrix.Rows;
        Rows modalities = scratch.Projected.Slice(0, streams), shares = scratch.Projected.Slice(streams, streams), error = scratch.Normed;
        Router.Forward(backend, scratch, x, modalities, rows);
        backend.Linear(modalities, Coefficients, shares, rows);
        AltUp.Copy(backend, x, error, rows);
        backend.Add(error, AltUp.Part(scratch.Predictions, Active, x.Columns), -1, rows);
        for (var i = 0; i < streams; i++)
        {
            var stream = AltUp.Part(scratch.Streams, i, x.Columns);
            backend.Multiply(error, shares.Slice(i, 1), ActivationKind.Identity, stream, rows);
            backend.Add(stream, AltUp.Part(scratch.Predictions, i, x.Columns), 1, rows);
        }

        var active = AltUp.Part(scratch.Streams, Active, x.Columns);
        if (Scale is not null)
        {
            // One row for all tokens: from one to the next are no elements.
            backend.Multiply(active, new Rows(Scale, x.Columns, Stride: 0), ActivationKind.Identity, scratch.Second, rows);
        }

        Input.Forward(backend, step, scratch, Scale is null ? active : scratch.Second, error);
        InputNorm.Forward(backend, error, error, rows);
        for (var i = 1; i < streams; i++)
        {
            backend.Add(AltUp.Part(scratch.Streams, i, x.Columns), error, 1, rows);
        }

        AltUp.Copy(backend, active, output, rows);
    }
}

/// <summary>Behind the last layer: the sum of all streams, each but the first by a product and as large as the first.</summary>
/// <param name="Projections">For each stream but the first.</param>
internal sealed record AltUpEnd(Projection[][] Projections) : IMixer
{
    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        var rows = step.TokenCount;
        var first = AltUp.Part(scratch.Streams, 0, x.Columns);
        AltUp.Copy(backend, first, output, rows);
        for (var i = 1; i <= Projections.Length; i++)
        {
            backend.Linear(AltUp.Part(scratch.Streams, i, x.Columns), Projections[i - 1], scratch.Second, rows);
            backend.MatchMagnitude(scratch.Second, first, AltUp.Floor, scratch.Second, rows);
            backend.Add(output, scratch.Second, 1, rows);
        }
    }
}

/// <summary>A mixer with a low-rank branch beside it: output = norm(mixer(x)) + x + branchNorm(right(left(x))).</summary>
/// <param name="Mixer">Of full rank.</param>
/// <param name="MixerNorm">Behind it.</param>
/// <param name="Left">To the low rank.</param>
/// <param name="Right">Back.</param>
/// <param name="BranchNorm">Behind the branch.</param>
internal sealed record LaurelMixer(IMixer Mixer, Norm MixerNorm, Projection[] Left, Projection[] Right, Norm BranchNorm) : IMixer
{
    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        var rows = step.TokenCount;
        Mixer.Forward(backend, step, scratch, x, output);
        MixerNorm.Forward(backend, output, output, rows);
        var low = scratch.Projected.Slice(0, Left[0].Matrix.Rows);
        backend.Linear(x, Left, low, rows);
        backend.Linear(low, Right, scratch.Second, rows);
        BranchNorm.Forward(backend, scratch.Second, scratch.Second, rows);
        backend.Add(output, scratch.Second, 1, rows);
        backend.Add(output, x, 1, rows);
    }
}
