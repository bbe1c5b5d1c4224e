using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type qwen3: Llama's layer with an RMS norm on every head of q and k.</summary>
internal sealed class Qwen3 : DecoderFamily
{
    private readonly bool _bias;

    public Qwen3(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        _bias = config.GetBoolean("attention_bias", false);
        var window = SwitchedWindow();
        var first = config.GetInt32("max_window_layers", 0, int.MaxValue, 28);
        Windows = ReadWindows(window, i => window is not null && i >= first);
        Rotary = [ReadRotary()];
    }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, _bias, _bias, window: Windows[i], norm: weights.Scope("self_attn.").QkNorm(Attention, Epsilon))),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.Silu)),
    ];
}
