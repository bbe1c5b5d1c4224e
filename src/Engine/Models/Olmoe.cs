using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type olmoe: norms over all heads of q and k together, experts in every layer.</summary>
internal sealed class Olmoe : DecoderFamily
{
    private readonly bool _bias;
    private readonly bool _normalised;

    public Olmoe(HfConfig config) : base(config, headDim: false)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        if (config.Has("clip_qkv"))
        {
            throw config.Unsupported("clip_qkv", "given", "null");
        }

        ExpertWidths = ExpertFields.Read(config, ["num_experts", "num_local_experts"], "intermediate_size");
        _normalised = config.GetBoolean("norm_topk_prob", false);
        _bias = config.GetBoolean("attention_bias", false);
        Rotary = [ReadRotary()];
    }

    protected override ExpertWidths ExpertWidths { get; }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var w = weights.Scope("mlp.");
        var experts = new Experts(
            [w.Router("gate", ExpertWidths.Count, Hidden)],
            new Routing(ExpertWidths.Count, ExpertWidths.Chosen, RouterFunction.Softmax) { Normalised = _normalised },
            w.Experts(ExpertWidths.Count, Hidden, Inner),
            ActivationKind.Silu);
        return
        [
            new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, _bias, _bias, norm: weights.Scope("self_attn.").QkNorm(Attention, Epsilon, wholeRow: true))),
            new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), experts),
        ];
    }
}
