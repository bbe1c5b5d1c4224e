using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type hunyuan_v1_dense: Llama's layer with an RMS norm on every head of q and k once they are turned.</summary>
internal sealed class HunyuanV1Dense : DecoderFamily
{
    private readonly bool _bias;

    public HunyuanV1Dense(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        if (!config.GetBoolean("use_qk_norm", true))
        {
            throw config.Unsupported("use_qk_norm", "false", "true");
        }

        if (config.GetBoolean("use_cla", false))
        {
            throw config.Unsupported("use_cla", "true", "false");
        }

        _bias = config.GetBoolean("attention_bias", false);
        Rotary = [Frequencies(config)];
    }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var norm = weights.Scope("self_attn.").QkNorm(Attention, Epsilon, query: "query_layernorm", key: "key_layernorm") with { AfterRotation = true };
        return
        [
            new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, _bias, _bias, norm: norm)),
            new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.Silu)),
        ];
    }

    /// <summary>With <c>alpha</c> the dynamic kind is a fixed one: a larger base at every length.</summary>
    private RotaryFrequencies Frequencies(HfConfig config)
    {
        var alpha = (config.Section("rope_parameters") ?? config.Section("rope_scaling"))?.FindDouble("alpha", 1e-6, 1e15);
        var rope = RopeParameters.Read(config, alsoKnown: ["alpha"]);
        var size = Attention.HeadDim;
        return RotaryPositions.Frequencies(
            alpha is { } a && rope.Kind == RopeKind.Dynamic ? rope with { Kind = RopeKind.Default, Theta = rope.Theta * Math.Pow(a, size / (double)(size - 2)) } : rope,
            size);
    }
}
