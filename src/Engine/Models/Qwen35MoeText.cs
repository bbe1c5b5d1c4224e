using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type qwen3_5_moe_text: Qwen 3.5's layers with experts, whose weights sum to one, and a gated shared expert in each.</summary>
internal sealed class Qwen35MoeText(HfConfig config) : Qwen35Text(config, new SizeFields { Inner = "shared_expert_intermediate_size" })
{
    protected override ExpertWidths ExpertWidths { get; } = ExpertFields.Read(config, ["num_experts", "num_local_experts"], "moe_intermediate_size");

    protected override IMixer Unit(WeightLoader w) => QwenExperts.Unit(w, sparse: true, Hidden, Inner, ExpertWidths, Inner, normalised: true);
}
