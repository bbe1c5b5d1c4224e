using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type granitemoe: Granite's factors, experts stacked in two tensors.</summary>
internal sealed class GraniteMoe : DecoderFamily
{
    private readonly bool _bias;
    private readonly float _residual;

    public GraniteMoe(HfConfig config) : base(config, headDim: false, scale: _ => (float)config.GetDouble("attention_multiplier", 1e-6, 1e6, 1))
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        ExpertWidths = ExpertFields.Read(config, ["num_local_experts"], "intermediate_size");
        _bias = config.GetBoolean("attention_bias", false);
        _residual = (float)config.GetDouble("residual_multiplier", 1e-6, 1e6, 1);
        EmbeddingScale = (float)config.GetDouble("embedding_multiplier", 1e-6, 1e6, 1);
        LogitScale = 1f / (float)config.GetDouble("logits_scaling", 1e-6, 1e6, 1);
        Rotary = [ReadRotary()];
    }

    protected override ExpertWidths ExpertWidths { get; }
    protected override float EmbeddingScale { get; }
    protected override float LogitScale { get; }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var w = weights.Scope("block_sparse_moe.");
        var experts = new Experts(
            [w.Router("router.layer", ExpertWidths.Count, Hidden)],
            new Routing(ExpertWidths.Count, ExpertWidths.Chosen, RouterFunction.Softmax) { Normalised = true },
            w.StackedExperts("input_linear.weight", "output_linear.weight", ExpertWidths.Count, Hidden, Inner),
            ActivationKind.Silu);
        return
        [
            new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, _bias, _bias), Scale: _residual),
            new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), experts, Scale: _residual),
        ];
    }
}
