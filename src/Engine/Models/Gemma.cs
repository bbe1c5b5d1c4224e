using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type gemma: gains stored less one, embeddings scaled by sqrt(hidden), GELU with tanh, tied head.</summary>
internal sealed class Gemma : DecoderFamily
{
    public Gemma(HfConfig config) : base(config, tied: true)
    {
        GemmaFields.Check(config);
        Rotary = [ReadRotary()];
    }

    protected override float EmbeddingScale => MathF.Sqrt(Hidden);

    protected override Norm FinalNorm(WeightLoader weights) => weights.RmsNorm("norm", Hidden, Epsilon, offset: 1);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon, offset: 1), SelfAttention(weights, i)),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon, offset: 1), weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.GeluTanh)),
    ];
}

/// <summary>Fields that all Gemmas share.</summary>
internal static class GemmaFields
{
    /// <summary>Refuses what no published Gemma uses: another activation, biases, attention in both directions.</summary>
    public static void Check(HfConfig config)
    {
        foreach (var field in (ReadOnlySpan<string>)["hidden_activation", "hidden_act"])
        {
            _ = config.GetChoice(field, ["gelu_pytorch_tanh", "gelu"], "gelu_pytorch_tanh");    // early files say gelu and mean the form with tanh
        }

        foreach (var field in (ReadOnlySpan<string>)["attention_bias", "use_bidirectional_attention"])
        {
            if (config.GetBoolean(field, false))
            {
                throw config.Unsupported(field, "true", "false");
            }
        }
    }
}
