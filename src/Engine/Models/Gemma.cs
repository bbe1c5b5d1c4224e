using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type gemma: gains stored less one, embeddings scaled by sqrt(hidden), GELU with tanh, tied head.</summary>
internal sealed class Gemma : DecoderFamily
{
    private readonly bool _bias;

    public Gemma(HfConfig config) : base(config, tied: true)
    {
        GemmaFields.Check(config);
        _bias = config.GetBoolean("attention_bias", false);
        Rotary = [ReadRotary()];
    }

    protected override float EmbeddingScale => MathF.Sqrt(Hidden);

    protected override Norm FinalNorm(WeightLoader weights) => weights.RmsNorm("norm", Hidden, Epsilon, offset: 1);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon, offset: 1), SelfAttention(weights, i, _bias, _bias)),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon, offset: 1), weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.GeluTanh)),
    ];
}

/// <summary>Fields that all Gemmas share.</summary>
internal static class GemmaFields
{
    /// <summary>Refuses another activation and attention in both directions.</summary>
    public static void Check(HfConfig config)
    {
        CheckActivation(config);
        if (config.GetBoolean("use_bidirectional_attention", false))
        {
            throw config.Unsupported("use_bidirectional_attention", "true", "false");
        }
    }

    public static void CheckActivation(HfConfig config)
    {
        // The first files said gelu and meant the form with tanh; their successors say which.
        _ = config.GetChoice("hidden_activation", ["gelu_pytorch_tanh"], "gelu_pytorch_tanh");
        _ = config.GetChoice("hidden_act", ["gelu_pytorch_tanh", "gelu"], "gelu_pytorch_tanh");
    }

    /// <summary>A soft cap: null is none, a missing field <paramref name="absent"/>.</summary>
    public static float Cap(HfConfig config, string field, double absent) => (float)(config.FindDouble(field, 1e-3, 1e6) ?? (config.Mentions(field) ? 0 : absent));
}
