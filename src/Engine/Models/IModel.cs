using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>What the engine must know of a model to run it.</summary>
/// <param name="Cache">What each layer with a key-value cache keeps.</param>
/// <param name="Vocabulary">Logits per token.</param>
/// <param name="MaxPositions">Longest sequence the model was made for.</param>
internal sealed record ModelShape(IReadOnlyList<KvLayer> Cache, int Vocabulary, int MaxPositions)
{
    /// <summary>Elements of each state that a running sequence needs; none in a model without recurrent layers.</summary>
    public IReadOnlyList<int> States { get; init; } = [];

    /// <summary>What each layer is, in the config's words.</summary>
    public IReadOnlyList<string> LayerKinds { get; init; } = [];
}

/// <summary>A family's configuration, read and checked; it can build the model.</summary>
internal interface IModelFamily
{
    ModelShape Shape { get; }

    /// <param name="weights">Binds and loads the weights.</param>
    /// <param name="maxTokens">Rows of the largest step.</param>
    /// <param name="maxSamples">Most rows whose logits are wanted in one step.</param>
    IModel Build(WeightLoader weights, int maxTokens, int maxSamples);
}

/// <summary>A loaded model: weights and scratch on one backend. One step at a time.</summary>
internal interface IModel : IDisposable
{
    /// <summary>Runs the tokens of a step through all layers; the result is valid until the next call.</summary>
    /// <returns>Logits <c>[step.SampleCount, vocabulary]</c>.</returns>
    Rows Forward(in StepInputs step);
}
