using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type qwen2 (Qwen 2 and 2.5): Llama's layer with biases on q, k and v, and windows in the upper layers where they are switched on.</summary>
internal sealed class Qwen2 : DecoderFamily
{
    public Qwen2(HfConfig config) : base(config, headDim: false)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        Windows = QwenWindows();
        Rotary = [ReadRotary()];
    }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, bias: true, window: Windows[i])),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.Silu)),
    ];

    private int[] QwenWindows()
    {
        var window = SwitchedWindow();
        var first = Config.GetInt32("max_window_layers", 0, int.MaxValue, 28);
        return ReadWindows(window, i => window is not null && i >= first);
    }
}
