using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type ernie4_5 and helium: Llama's layer in which neighbours turn.</summary>
internal sealed class Ernie45 : DecoderFamily
{
    private readonly bool _attentionBias;
    private readonly bool _mlpBias;

    public Ernie45(HfConfig config) : base(config, tied: config.ModelType == "ernie4_5")
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        var bias = config.GetBoolean("use_bias", false);
        _attentionBias = config.GetBoolean("attention_bias", bias);
        _mlpBias = config.GetBoolean("mlp_bias", bias);
        Rotary = [ReadRotary(defaultTheta: config.ModelType == "ernie4_5" ? 500_000 : 100_000)];
    }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, _attentionBias, _attentionBias, pairs: RotaryPairs.Neighbours)),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.Silu, _mlpBias)),
    ];
}
