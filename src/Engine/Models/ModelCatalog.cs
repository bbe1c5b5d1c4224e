using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>The families this engine knows, one line each.</summary>
internal static class ModelCatalog
{
    /// <summary>Values of <c>model_type</c> that can be opened.</summary>
    public static IReadOnlyList<string> ModelTypes { get; } = ["llama"];

    /// <summary>Reads the family's part of the config; nothing is loaded yet.</summary>
    public static IModelFamily Describe(HfConfig config) => config.ModelType switch
    {
        "llama" => Llama.Read(config),
        var other => throw new UnsupportedModelException($"config.json: model_type '{other}' is not known; known are {string.Join(", ", ModelTypes)}.", "model_type"),
    };
}

/// <summary>A family's configuration, checked; it can build the model.</summary>
internal interface IModelFamily
{
    ModelShape Shape { get; }

    /// <param name="weights">Binds and loads the weights.</param>
    /// <param name="maxTokens">Rows of the largest step.</param>
    /// <param name="maxSamples">Most rows whose logits are wanted in one step.</param>
    IModel Build(WeightLoader weights, int maxTokens, int maxSamples);
}
