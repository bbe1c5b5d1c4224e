using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type starcoder2: layer norms, biases everywhere, a plain GELU unit.</summary>
internal sealed class Starcoder2 : DecoderFamily
{
    private readonly bool _bias;

    public Starcoder2(HfConfig config) : base(config, "norm_epsilon", headDim: false, tied: true)
    {
        _ = config.GetChoice("hidden_act", ["gelu_pytorch_tanh"]);
        _bias = config.GetBoolean("use_bias", true);
        Windows = UniformWindows(config.FindInt32("sliding_window", 1, int.MaxValue));
        Rotary = [ReadRotary()];
    }

    protected override Norm FinalNorm(WeightLoader weights) => weights.LayerNorm("norm", Hidden, Epsilon);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var w = weights.Scope("mlp.");
        return
        [
            new(weights.LayerNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, _bias, _bias, window: Windows[i])),
            new(weights.LayerNorm("post_attention_layernorm", Hidden, Epsilon), new Mlp([w.Linear("c_fc", Inner, Hidden, _bias)], [w.Linear("c_proj", Hidden, Inner, _bias)], ActivationKind.GeluTanh)),
        ];
    }
}
