using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type lfm2_moe: LFM 2's layers; behind a few dense ones, experts chosen by sigmoid scores plus a trained correction.</summary>
internal sealed class Lfm2Moe : Lfm2
{
    private readonly int _dense;
    private readonly bool _correction;
    private readonly Routing _routing;

    public Lfm2Moe(HfConfig config) : base(config, adjusted: false)
    {
        ExpertWidths = ExpertFields.Read(config, ["num_experts", "num_local_experts"], "moe_intermediate_size");
        _dense = config.GetInt32("num_dense_layers", 0, 1024, 2);
        _correction = config.GetBoolean("use_expert_bias", true);
        _routing = new Routing(ExpertWidths.Count, ExpertWidths.Chosen, RouterFunction.Sigmoid)
        {
            Normalised = config.GetBoolean("norm_topk_prob", true),
            Epsilon = 1e-6f,
            Scale = (float)config.GetDouble("routed_scaling_factor", 1e-6, 1e6, 1),
        };
    }

    protected override ExpertWidths ExpertWidths { get; }

    protected override IMixer Unit(WeightLoader w, int i) => i < _dense
        ? base.Unit(w, i)
        : new Experts(
            [w.Router("gate", ExpertWidths.Count, Hidden)],
            _routing with { Correction = _correction ? w.Vector("expert_bias", ExpertWidths.Count) : null },
            w.Experts(ExpertWidths.Count, Hidden, ExpertWidths.Inner, "w1", "w3", "w2"),
            ActivationKind.Silu);
}
