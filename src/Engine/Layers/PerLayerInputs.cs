using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Engine.Layers;

/// <summary>A small embedding of its own for every layer, all side by side: from the token by a table, and from its embedding by a product; half of the energy each.</summary>
/// <param name="Table"><c>[vocabulary, layers * width]</c></param>
/// <param name="TableScale">Factor on the table's rows.</param>
/// <param name="Projection">From the model's width to <c>layers * width</c>.</param>
/// <param name="ProjectionScale">Factor on the product, before its norm.</param>
/// <param name="Gain">Of that norm, <c>[width]</c>, the same for every layer.</param>
/// <param name="Epsilon">Of that norm.</param>
internal sealed record PerLayerEmbedding(Weight Table, float TableScale, Projection[] Projection, float ProjectionScale, DeviceBuffer Gain, float Epsilon)
{
    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch)
    {
        var (sum, term, rows) = (scratch.PerLayer, scratch.PerLayerTerm, step.TokenCount);
        backend.Linear(scratch.Hidden, Projection, sum, rows);
        backend.ScaleAndCap(sum, ProjectionScale, 0, rows);
        backend.RmsNorm(sum, Gain, Epsilon, sum, rows, (int)(sum.Columns / Gain.Length));
        backend.Embed(step, step.TokenIds, Table, TableScale, term);
        backend.Add(sum, term, 1f, rows);
        backend.ScaleAndCap(sum, 1 / MathF.Sqrt(2), 0, rows);
    }
}

/// <summary>What a layer makes of its own embedding: output(activation(gate(x)) * embedding).</summary>
/// <param name="Layer">Which of the embeddings.</param>
/// <param name="Gate">To the embeddings' width.</param>
/// <param name="Activation">The gate's function.</param>
/// <param name="Output">Back to the model's width.</param>
internal sealed record PerLayerInput(int Layer, Projection[] Gate, Activation Activation, Projection[] Output) : IMixer
{
    public void Forward(IBackend backend, in StepInputs step, TransformerScratch scratch, Rows x, Rows output)
    {
        var width = Gate[0].Matrix.Rows;
        var gate = scratch.Projected.Slice(0, width);
        backend.Linear(x, Gate, gate, step.TokenCount);
        backend.Activate(gate, Activation, gate, step.TokenCount);
        backend.Multiply(gate, scratch.PerLayer.Slice(Layer * width, width), ActivationKind.Identity, gate, step.TokenCount);
        backend.Linear(gate, Output, output, step.TokenCount);
    }
}
