using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type olmo2 and olmo3: norms behind the blocks instead of before them, RMS norms over the whole of q and of k; olmo3 has windows in three layers of four.</summary>
internal sealed class Olmo2 : DecoderFamily
{
    private readonly bool _bias;

    public Olmo2(HfConfig config) : base(config, headDim: false)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        _bias = config.GetBoolean("attention_bias", false);
        var window = config.ModelType == "olmo3" ? WindowOr(4096) : null;
        Windows = ReadWindows(window, i => window is not null && (i + 1) % 4 != 0);
        Rotary = config.Section("rope_parameters")?.IsSection("full_attention") == true
            ? [ReadRotary(null, "full_attention", double.NaN), ReadRotary(null, "sliding_attention", double.NaN)]
            : [ReadRotary(defaultTheta: config.ModelType == "olmo3" ? double.NaN : 10_000)];
    }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(
            Pre: null,
            SelfAttention(weights, i, _bias, _bias, Windows[i] > 0 ? Rotary.Count - 1 : 0, Windows[i], norm: weights.Scope("self_attn.").QkNorm(Attention, Epsilon, wholeRow: true)),
            weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon)),
        new(
            Pre: null,
            weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.Silu),
            weights.RmsNorm("post_feedforward_layernorm", Hidden, Epsilon)),
    ];
}
