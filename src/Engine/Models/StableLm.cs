using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type stablelm: layer norms, a gated unit, a quarter of each head turns; some have attention and unit side by side.</summary>
internal sealed class StableLm : DecoderFamily
{
    private readonly bool _bias;
    private readonly bool _parallel;
    private readonly bool _norms;

    public StableLm(HfConfig config) : base(config, "layer_norm_eps", headDim: false)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        _norms = config.GetBoolean("qk_layernorm", false);
        _bias = config.GetBoolean("use_qkv_bias", false);
        _parallel = config.GetBoolean("use_parallel_residual", false);
        Rotary = [ReadRotary(0.25)];
    }

    protected override Norm FinalNorm(WeightLoader weights) => weights.LayerNorm("norm", Hidden, Epsilon);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var norm = weights.LayerNorm("input_layernorm", Hidden, Epsilon);
        Norm[] Each(string name, int heads) => [.. Enumerable.Range(0, heads).Select(h => weights.LayerNorm($"self_attn.{name}.norms.{h}", Attention.HeadDim, Epsilon, bias: false))];
        var norms = _norms ? new HeadLayerNorms(Each("q_layernorm", Attention.Heads), Each("k_layernorm", Attention.KvHeads)) : null;
        var attention = SelfAttention(weights, i, _bias, norm: norms);
        var mlp = weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.Silu);
        return _parallel
            ? [new(norm, new ParallelMixer(attention, mlp))]
            : [new(norm, attention), new(weights.LayerNorm("post_attention_layernorm", Hidden, Epsilon), mlp)];
    }
}
