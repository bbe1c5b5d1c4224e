using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>Tokens to residual stream.</summary>
/// <param name="Table"><c>[vocabulary, hidden]</c></param>
/// <param name="Scale">Factor on the rows.</param>
/// <param name="Positions">Learned positions <c>[positions, hidden]</c> that are added, or null.</param>
internal sealed record Embedding(Weight Table, float Scale = 1f, Weight? Positions = null)
{
    /// <summary>Embeddings that each layer has of its own, or null.</summary>
    public PerLayerEmbedding? PerLayer { get; init; }
}

/// <summary>Residual stream to logits.</summary>
/// <param name="Norm">Before the product; null where a model has none.</param>
/// <param name="Projection"><c>[vocabulary, hidden]</c></param>
/// <param name="Scale">Factor on the logits.</param>
/// <param name="SoftCap">Logits become cap * tanh(logit / cap); 0 leaves them.</param>
internal sealed record Head(Norm? Norm, Projection[] Projection, float Scale = 1f, float SoftCap = 0);

/// <summary>A decoder-only transformer: embedding, blocks along a residual stream, head.</summary>
internal sealed class Decoder(IBackend backend, Embedding embedding, IReadOnlyList<RotaryFrequencies> rotary, Block[] blocks, Head head, TransformerScratch scratch) : IDisposable
{
    /// <summary>Runs the tokens of a step through all blocks; the result is valid until the next call.</summary>
    /// <returns>Logits <c>[step.SampleCount, vocabulary]</c>.</returns>
    public Rows Forward(in StepInputs step)
    {
        var rows = step.TokenCount;
        backend.Embed(step, step.TokenIds, embedding.Table, embedding.Scale, scratch.Hidden);
        if (embedding.Positions is { } positions)
        {
            backend.Embed(step, step.Positions, positions, 1f, scratch.Delta);
            backend.Add(scratch.Hidden, scratch.Delta, 1f, rows);
        }

        embedding.PerLayer?.Forward(backend, step, scratch);
        for (var i = 0; i < rotary.Count; i++)
        {
            backend.RotaryTable(step, rotary[i], scratch.Rotary[i]);
        }

        // What a block adds is pending until the next norm, which adds it on its way.
        Block? pending = null;
        var folds = backend.Folds(step);
        foreach (var block in blocks)
        {
            if (folds && block is { Pre: { Centered: false } norm, Post: null, Kept: 1 })
            {
                Settle(ref pending, rows);
                if (block.Mixer.TryFold(backend, step, scratch, With(norm), block.Scale))
                {
                    continue;
                }
            }

            block.Mixer.Forward(backend, step, scratch, Enter(block.Pre, pending, rows), scratch.Delta);
            block.Post?.Forward(backend, scratch.Delta, scratch.Delta, rows);
            pending = block;
        }

        // Where all rows sample there is nothing to gather.
        if (folds && step.SampleCount == rows && head.Norm is { Centered: false } last)
        {
            Settle(ref pending, rows);
            backend.NormedLinear(With(last), head.Projection, scratch.Logits, rows);
        }
        else
        {
            backend.GatherRows(Enter(head.Norm, pending, rows), step.SampleRows, scratch.Sampled, step.SampleCount);
            backend.Linear(scratch.Sampled, head.Projection, scratch.Logits, step.SampleCount);
        }

        if (head.Scale != 1 || head.SoftCap != 0)
        {
            backend.ScaleAndCap(scratch.Logits, head.Scale, head.SoftCap, step.SampleCount);
        }

        return scratch.Logits;
    }

    public void Dispose() => scratch.Dispose();

    private NormedRows With(Norm norm) => new(scratch.Hidden, norm.Gain, norm.Epsilon, scratch.Normed);

    /// <summary>Adds what is pending to the residual stream.</summary>
    private void Settle(ref Block? pending, int rows)
    {
        _ = Enter(norm: null, pending, rows);
        pending = null;
    }

    /// <summary>Adds what is pending to the residual stream and returns it, normed where there is a norm.</summary>
    private Rows Enter(Norm? norm, Block? pending, int rows)
    {
        if (pending is { Kept: not 1 })
        {
            backend.ScaleAndCap(scratch.Hidden, pending.Kept, 0, rows);
        }

        if (norm is null)
        {
            if (pending is not null)
            {
                backend.Add(scratch.Hidden, scratch.Delta, pending.Scale, rows);
            }

            return scratch.Hidden;
        }

        if (pending is null)
        {
            norm.Forward(backend, scratch.Hidden, scratch.Normed, rows);
        }
        else
        {
            norm.ForwardAdding(backend, scratch.Hidden, scratch.Delta, pending.Scale, scratch.Normed, rows);
        }

        return scratch.Normed;
    }
}
