using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type glm4: norms on both sides of every block, gate and up in one tensor, neighbours turn in half of each head.</summary>
internal sealed class Glm4 : DecoderFamily
{
    private readonly bool _bias;

    public Glm4(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        _bias = config.GetBoolean("attention_bias", false);
        Rotary = [ReadRotary(0.5)];
    }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(
            weights.RmsNorm("input_layernorm", Hidden, Epsilon),
            SelfAttention(weights, i, _bias, pairs: RotaryPairs.Neighbours),
            weights.RmsNorm("post_self_attn_layernorm", Hidden, Epsilon)),
        new(
            weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon),
            weights.Scope("mlp.").FusedGatedMlp(Hidden, Inner, ActivationKind.Silu),
            weights.RmsNorm("post_mlp_layernorm", Hidden, Epsilon)),
    ];
}
