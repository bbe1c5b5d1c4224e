using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type seed_oss and internlm3: Llama's layer, with a bias of its own for q, k and v and for the output.</summary>
internal sealed class SeedOss : DecoderFamily
{
    private readonly bool _qkvBias;
    private readonly bool _outputBias;
    private readonly bool _mlpBias;

    public SeedOss(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        _qkvBias = config.GetBoolean("attention_bias", false);
        _outputBias = config.GetBoolean("attention_out_bias", false);
        _mlpBias = config.GetBoolean("mlp_bias", false);
        Rotary = [ReadRotary()];
    }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, _qkvBias, _outputBias)),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.Silu, _mlpBias)),
    ];
}
