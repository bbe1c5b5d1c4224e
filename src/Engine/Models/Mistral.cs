using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type mistral and ministral: Llama's layer, with a window in every layer or in those that layer_types names.</summary>
internal sealed class Mistral : DecoderFamily
{
    public Mistral(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        var window = WindowOr(4096);
        Windows = ReadWindows(window, _ => window is not null);
        Rotary = [ReadRotary()];
    }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, window: Windows[i])),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.Silu)),
    ];
}
