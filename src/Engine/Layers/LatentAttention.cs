using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>Attention whose keys and values are products of one short latent a token. Only the latent is stored, behind the part of the key that turns; the products that would make keys and values of it
/// are done on the query and on the result instead, for prompts and single tokens alike. So all query heads share one KV head, whose values are the latents in its keys.</summary>
/// <param name="Layer">Index into the KV cache.</param>
/// <param name="Shape">One KV head; keys: turning part | latent; values: latent.</param>
/// <param name="Rotary">Index of the model's rotary table, or -1 for a layer without positions.</param>
/// <param name="Pairs">Which elements turn together.</param>
/// <param name="Weights">The products.</param>
internal sealed record LatentAttention(int Layer, AttentionShape Shape, int Rotary, RotaryPairs Pairs, LatentWeights Weights) : IMixer
{
    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        int rows = step.TokenCount, turning = Shape.HeadDim - Shape.ValueDim;
        Rows qkv = scratch.Qkv.Slice(0, Shape.QkvColumns), queries = scratch.Projected.Slice(0, Shape.Heads * (turning + Weights.ToLatent[0].Matrix.Columns));
        Rows mixed = scratch.Mixed.Slice(0, Shape.OutputColumns), values = scratch.Scanned.Slice(0, Shape.Heads * Weights.FromLatent[0].Matrix.Rows);
        var input = x;
        if (Weights.QueryNorm is { } norm)
        {
            input = scratch.Scanned.Slice(0, Weights.QueryDown[0].Matrix.Rows);
            backend.Linear(x, Weights.QueryDown, input, rows);
            norm.Forward(backend, input, input, rows);
        }

        backend.Linear(input, Weights.Query, queries, rows);
        backend.LinearByHead(queries, turning, Weights.ToLatent, qkv.Slice(0, Shape.QueryColumns), rows);

        var key = qkv.Slice(Shape.QueryColumns, Shape.KeyColumns);
        backend.Linear(x, Weights.Key, key, rows);
        var latent = key.Slice(turning, Shape.ValueDim);
        Weights.LatentNorm.Forward(backend, latent, latent, rows);

        backend.RotateAndStore(step, Layer, qkv, Rotary < 0 ? scratch.Rotary[0].Slice(0, 0) : scratch.Rotary[Rotary], Pairs, Shape);
        backend.PagedAttention(step, Layer, qkv.Slice(0, Shape.QueryColumns), mixed, Shape);
        backend.LinearByHead(mixed, 0, Weights.FromLatent, values, rows);
        backend.Linear(values, Weights.Output, output, rows);
    }
}

/// <summary>Products of a latent attention.</summary>
internal sealed record LatentWeights
{
    /// <summary>To the short form of the query, where it has one; and its norm.</summary>
    public Projection[] QueryDown { get; init; } = [];
    public Norm? QueryNorm { get; init; }

    /// <summary>Head after head: turning part | rest.</summary>
    public required Projection[] Query { get; init; }

    /// <summary>Turning part | latent.</summary>
    public required Projection[] Key { get; init; }
    public required Norm LatentNorm { get; init; }

    /// <summary>For each head, from the rest of the query to what it asks of the latent: <c>[latent, rest]</c></summary>
    public required Projection[] ToLatent { get; init; }

    /// <summary>For each head, from the latent to its value: <c>[value, latent]</c></summary>
    public required Projection[] FromLatent { get; init; }

    /// <summary>Back to the model's width.</summary>
    public required Projection[] Output { get; init; }
}
