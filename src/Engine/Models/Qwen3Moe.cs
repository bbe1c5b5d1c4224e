using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type qwen3_moe: Qwen 3's layer with experts in place of the gated unit.</summary>
internal sealed class Qwen3Moe : DecoderFamily
{
    private readonly bool _bias;
    private readonly bool _normalised;
    private readonly bool[] _sparse;

    public Qwen3Moe(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        ExpertWidths = ExpertFields.Read(config, ["num_experts", "num_local_experts"], "moe_intermediate_size");
        _normalised = config.GetBoolean("norm_topk_prob", false);
        _bias = config.GetBoolean("attention_bias", false);
        _sparse = ExpertFields.ReadSparseLayers(config, Layers);
        Windows = UniformWindows(SwitchedWindow());
        Rotary = [ReadRotary()];
    }

    protected override ExpertWidths ExpertWidths { get; }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, _bias, _bias, window: Windows[i], norm: weights.Scope("self_attn.").QkNorm(Attention, Epsilon))),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), Unit(weights.Scope("mlp."), _sparse[i])),
    ];

    private IMixer Unit(WeightLoader w, bool sparse) => !sparse
        ? w.GatedMlp(Hidden, Inner, ActivationKind.Silu)
        : new Experts(
            [w.Router("gate", ExpertWidths.Count, Hidden)],
            new Routing(ExpertWidths.Count, ExpertWidths.Chosen, RouterFunction.Softmax) { Normalised = _normalised },
            w.Experts(ExpertWidths.Count, Hidden, ExpertWidths.Inner),
            ActivationKind.Silu);
}
