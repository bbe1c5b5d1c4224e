using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type minimax_m2: norms over all heads of q and k together, experts chosen by sigmoid scores plus a trained correction.</summary>
internal sealed class MiniMaxM2 : DecoderFamily
{
    public MiniMaxM2(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        _ = config.GetChoice("scoring_func", ["sigmoid"], "sigmoid");
        _ = config.GetChoice("qk_norm_type", ["per_layer"], "per_layer");
        foreach (var field in (string[])["use_qk_norm", "use_routing_bias"])
        {
            if (!config.GetBoolean(field, true))
            {
                throw config.Unsupported(field, "false", "true");
            }
        }

        if (config.GetInt32("shared_intermediate_size", 0, 1 << 22, 0) != 0)
        {
            throw config.Unsupported("shared_intermediate_size", "given", "0");
        }

        if (config.FindInt32Array("attn_type_list", 0, 16)?.All(kind => kind == 1) == false)
        {
            throw config.Unsupported("attn_type_list", "not 1 everywhere", "1, full attention");
        }

        ExpertWidths = ExpertFields.Read(config, ["num_local_experts"], "intermediate_size");
        var turning = config.FindInt32("rotary_dim", 2, Attention.HeadDim);
        Rotary = [ReadRotary(turning is { } elements ? (double)elements / Attention.HeadDim : 1, defaultTheta: 5_000_000)];
    }

    protected override ExpertWidths ExpertWidths { get; }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var w = weights.Scope("block_sparse_moe.");
        var experts = new Experts(
            [w.Router("gate", ExpertWidths.Count, Hidden)],
            new Routing(ExpertWidths.Count, ExpertWidths.Chosen, RouterFunction.Sigmoid) { Correction = w.Vector("e_score_correction_bias", ExpertWidths.Count), Normalised = true },
            w.Experts(ExpertWidths.Count, Hidden, Inner, "w1", "w3", "w2"),
            ActivationKind.Silu);
        return
        [
            new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, norm: weights.Scope("self_attn.").QkNorm(Attention, Epsilon, wholeRow: true))),
            new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), experts),
        ];
    }
}
