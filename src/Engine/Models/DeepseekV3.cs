using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type deepseek_v3: DeepSeek 2's layers, experts chosen by sigmoid scores plus a trained correction.</summary>
internal sealed class DeepseekV3 : DeepseekV2
{
    public DeepseekV3(HfConfig config) : base(config, dense: 3, shared: 1, mlpBias: false, config.GetBoolean("rope_interleave", true) ? RotaryPairs.Neighbours : RotaryPairs.Halves)
    {
        _ = config.GetChoice("scoring_func", ["sigmoid"], "sigmoid");
        _ = config.GetChoice("topk_method", ["noaux_tc"], "noaux_tc");
        Routing = ExpertFields.ReadCorrected(config, ExpertWidths, scale: 2.5, groups: (8, 4));
    }

    protected override int NextLayers => 1;

    protected override DeviceBuffer Correction(WeightLoader w) => w.Vector("gate.e_score_correction_bias", ExpertWidths.Count);
}
