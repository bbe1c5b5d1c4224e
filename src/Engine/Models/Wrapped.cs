using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>A multimodal checkpoint opened for text: any family of the catalog under <c>text_config</c>, its weights under another prefix. What sees and hears is left alone.</summary>
internal sealed class Wrapped : IModelFamily
{
    /// <summary>Where published layouts keep what a language model by itself calls <c>model.</c>; the first that is there counts.</summary>
    private static readonly string[] Bodies = ["model.language_model.", "language_model.model.", "language_model.", "model.text_model.", "text_model.", "model."];

    private readonly IModelFamily _text;

    public Wrapped(HfConfig config)
    {
        var text = config.Part(HfConfig.TextField);
        _text = text.Has(HfConfig.TextField) ? throw text.Unsupported(HfConfig.TextField, "given", "a language model") : ModelCatalog.Describe(text);
    }

    public ModelShape Shape => _text.Shape;

    public IModel Build(WeightLoader weights, int maxTokens, int maxSamples)
    {
        var body = Array.Find(Bodies, b => weights.Contains(b + "embed_tokens.weight")) ?? Bodies[0];
        string[] heads = [body.EndsWith(".model.", StringComparison.Ordinal) ? body[..^"model.".Length] + "lm_head." : "lm_head.", "lm_head."];
        var head = Array.Find(heads, h => weights.Contains(h + "weight")) ?? heads[0];
        weights.Ignore(n => !n.StartsWith(body, StringComparison.Ordinal) && !n.StartsWith(head, StringComparison.Ordinal));
        return _text.Build(weights.Renamed(("model.", body), ("lm_head.", head)), maxTokens, maxSamples);
    }
}
