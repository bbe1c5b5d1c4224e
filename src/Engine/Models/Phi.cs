using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type phi (Phi 1 and 2): attention and a plain GELU unit side by side behind one layer norm, biases everywhere, a part of each head turns.</summary>
internal sealed class Phi : DecoderFamily
{
    private readonly bool _norms;

    public Phi(HfConfig config) : base(config, "layer_norm_eps", headDim: false)
    {
        _ = config.GetChoice("hidden_act", ["gelu_new"]);
        _norms = config.GetBoolean("qk_layernorm", false);
        Rotary = [ReadRotary(0.5)];
    }

    protected override Norm FinalNorm(WeightLoader weights) => weights.LayerNorm("final_layernorm", Hidden, Epsilon);

    protected override Projection OutputHead(WeightLoader weights) => weights.Linear("lm_head", Vocabulary, Hidden, bias: true);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var w = weights.Scope("mlp.");
        var mlp = new Mlp([w.Linear("fc1", Inner, Hidden, bias: true)], [w.Linear("fc2", Hidden, Inner, bias: true)], ActivationKind.GeluTanh);
        var a = weights.Scope("self_attn.");
        var norms = _norms ? new HeadLayerNorms([a.LayerNorm("q_layernorm", Attention.HeadDim, Epsilon)], [a.LayerNorm("k_layernorm", Attention.HeadDim, Epsilon)]) : null;
        return [new(weights.LayerNorm("input_layernorm", Hidden, Epsilon), new ParallelMixer(SelfAttention(weights, i, bias: true, outputBias: true, norm: norms, output: "dense"), mlp))];
    }
}
