using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type arcee: Llama's attention, a plain unit with squared ReLU.</summary>
internal sealed class Arcee : DecoderFamily
{
    private readonly bool _attentionBias;
    private readonly bool _mlpBias;

    public Arcee(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["relu2"]);
        _attentionBias = config.GetBoolean("attention_bias", false);
        _mlpBias = config.GetBoolean("mlp_bias", false);
        Rotary = [ReadRotary()];
    }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var w = weights.Scope("mlp.");
        return
        [
            new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, _attentionBias, _attentionBias)),
            new(
                weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon),
                new Mlp([w.Linear("up_proj", Inner, Hidden, _mlpBias)], [w.Linear("down_proj", Hidden, Inner, _mlpBias)], ActivationKind.ReluSquared)),
        ];
    }
}
