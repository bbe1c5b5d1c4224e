using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type phi (Phi 1 and 2): attention and a plain GELU unit side by side behind one layer norm, biases everywhere, a part of each head turns.</summary>
internal sealed class Phi : DecoderFamily
{
    public Phi(HfConfig config) : base(config, "layer_norm_eps", headDim: false)
    {
        _ = config.GetChoice("hidden_act", ["gelu_new"]);
        if (config.GetBoolean("qk_layernorm", false))
        {
            throw config.Unsupported("qk_layernorm", "true", "false");
        }

        Rotary = [ReadRotary(0.5)];
    }

    protected override Norm FinalNorm(WeightLoader weights) => weights.LayerNorm("final_layernorm", Hidden, Epsilon);

    protected override Projection OutputHead(WeightLoader weights) => weights.Linear("lm_head", Vocabulary, Hidden, bias: true);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var w = weights.Scope("mlp.");
        var mlp = new Mlp([w.Linear("fc1", Inner, Hidden, bias: true)], [w.Linear("fc2", Hidden, Inner, bias: true)], ActivationKind.GeluTanh);
        return [new(weights.LayerNorm("input_layernorm", Hidden, Epsilon), new ParallelMixer(SelfAttention(weights, i, bias: true, outputBias: true, output: "dense"), mlp))];
    }
}
