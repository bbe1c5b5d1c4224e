using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type nemotron: layer norms whose gain is stored less one, a plain unit with squared ReLU, half of each head turns.</summary>
internal sealed class Nemotron : DecoderFamily
{
    private readonly bool _attentionBias;
    private readonly bool _mlpBias;

    public Nemotron(HfConfig config) : base(config, "norm_eps")
    {
        _ = config.GetChoice("hidden_act", ["relu2"]);
        _attentionBias = config.GetBoolean("attention_bias", false);
        _mlpBias = config.GetBoolean("mlp_bias", false);
        Rotary = [ReadRotary(0.5)];
    }

    protected override Norm FinalNorm(WeightLoader weights) => weights.LayerNorm("norm", Hidden, Epsilon, offset: 1);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var w = weights.Scope("mlp.");
        return
        [
            new(weights.LayerNorm("input_layernorm", Hidden, Epsilon, offset: 1), SelfAttention(weights, i, _attentionBias, _attentionBias)),
            new(
                weights.LayerNorm("post_attention_layernorm", Hidden, Epsilon, offset: 1),
                new Mlp([w.Linear("up_proj", Inner, Hidden, _mlpBias)], [w.Linear("down_proj", Hidden, Inner, _mlpBias)], ActivationKind.ReluSquared)),
        ];
    }
}
