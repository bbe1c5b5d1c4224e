using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type glm4_moe (GLM 4.5 and later): a few dense layers, then experts chosen by sigmoid scores plus a trained correction, with a unit that every token takes.</summary>
internal sealed class Glm4Moe : DecoderFamily
{
    private readonly bool _bias;
    private readonly bool _qkNorm;
    private readonly int _dense;
    private readonly int _sharedInner;
    private readonly Routing _routing;

    public Glm4Moe(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        ExpertWidths = ExpertFields.Read(config, ["n_routed_experts", "num_local_experts"], "moe_intermediate_size");
        _sharedInner = checked(config.GetInt32("n_shared_experts", 1, 64, 1) * ExpertWidths.Inner);
        _dense = config.GetInt32("first_k_dense_replace", 0, 1024, 1);
        _bias = config.GetBoolean("attention_bias", false);
        _qkNorm = config.GetBoolean("use_qk_norm", false);
        _routing = ExpertFields.ReadCorrected(config, ExpertWidths);
        Rotary = [ReadRotary(0.5)];
    }

    protected override ExpertWidths ExpertWidths { get; }
    protected override int WidestInner => Math.Max(Inner, _sharedInner);

    /// <summary>One layer more predicts a further token.</summary>
    protected override void LeaveAlone(WeightLoader body) => body.IgnorePrefix($"layers.{Layers}.");

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var norm = _qkNorm ? weights.Scope("self_attn.").QkNorm(Attention, Epsilon) : null;
        return
        [
            new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, _bias, norm: norm)),
            new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), Unit(weights.Scope("mlp."), i >= _dense)),
        ];
    }

    private IMixer Unit(WeightLoader w, bool sparse) => !sparse
        ? w.GatedMlp(Hidden, Inner, ActivationKind.Silu)
        : new Experts(
            [w.Router("gate", ExpertWidths.Count, Hidden)],
            _routing with { Correction = w.Vector("gate.e_score_correction_bias", ExpertWidths.Count) },
            w.Experts(ExpertWidths.Count, Hidden, ExpertWidths.Inner),
            ActivationKind.Silu,
            new SharedExpert(w.Scope("shared_experts.").GatedMlp(Hidden, _sharedInner, ActivationKind.Silu)));
}
