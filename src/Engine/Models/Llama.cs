using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type llama: RMSNorm, rotary positions, grouped-query attention, gated SiLU unit, no surprises.</summary>
internal sealed class Llama : DecoderFamily
{
    private readonly bool _attentionBias;
    private readonly bool _mlpBias;

    public Llama(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        _attentionBias = config.GetBoolean("attention_bias", false);
        _mlpBias = config.GetBoolean("mlp_bias", false);
        Rotary = [ReadRotary()];
    }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, _attentionBias, _attentionBias)),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.Silu, _mlpBias)),
    ];
}
