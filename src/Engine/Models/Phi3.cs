using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type phi3 (Phi 3, 3.5, 4): Llama's layer with q, k, v in one tensor and gate, up in another.</summary>
internal sealed class Phi3 : DecoderFamily
{
    public Phi3(HfConfig config) : base(config, headDim: false)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        Windows = UniformWindows(config.FindInt32("sliding_window", 1, int.MaxValue));
        Rotary = [ReadRotary(1)];
    }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var w = weights.Scope("self_attn.");
        var shape = Attention with { Window = Windows[i] };
        return
        [
            new(
                weights.RmsNorm("input_layernorm", Hidden, Epsilon),
                new Attention(i, shape, 0, RotaryPairs.Halves, [w.Linear("qkv_proj", shape.QkvColumns, Hidden)], [w.Linear("o_proj", Hidden, shape.QueryColumns)])),
            new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), weights.Scope("mlp.").FusedGatedMlp(Hidden, Inner, ActivationKind.Silu)),
        ];
    }
}
