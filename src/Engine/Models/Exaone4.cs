using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type exaone4: norms behind the blocks, norms on every head of q and k, windows in three layers of four; where there are windows, full layers have no positions.</summary>
internal sealed class Exaone4 : DecoderFamily
{
    public Exaone4(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        var window = WindowOr(4096);
        var pattern = config.IsNumber("sliding_window_pattern", 0) || !config.Has("sliding_window_pattern") ? 4 : config.GetInt32("sliding_window_pattern", 1, 1024);
        Windows = ReadWindows(window, i => window is not null && (i + 1) % pattern != 0);
        HasWindows = window is not null;
        Rotary = [ReadRotary()];
    }

    private bool HasWindows { get; }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(
            Pre: null,
            SelfAttention(weights, i, rotary: !HasWindows || Windows[i] > 0 ? 0 : -1, window: Windows[i], norm: weights.Scope("self_attn.").QkNorm(Attention, Epsilon)),
            weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon)),
        new(Pre: null, weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.Silu), weights.RmsNorm("post_feedforward_layernorm", Hidden, Epsilon)),
    ];
}
