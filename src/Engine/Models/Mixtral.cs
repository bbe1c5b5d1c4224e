using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type mixtral: Mistral's layer with experts in place of the gated unit.</summary>
internal sealed class Mixtral : DecoderFamily
{
    public Mixtral(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        ExpertWidths = ExpertFields.Read(config, ["num_local_experts"], "intermediate_size");
        Windows = UniformWindows(config.FindInt32("sliding_window", 1, int.MaxValue));
        Rotary = [ReadRotary(defaultTheta: 1_000_000)];
    }

    protected override ExpertWidths ExpertWidths { get; }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var w = weights.Scope(weights.Contains("mlp.gate.weight") ? "mlp." : "block_sparse_moe.");
        var experts = new Experts(
            [w.Router("gate", ExpertWidths.Count, Hidden)],
            new Routing(ExpertWidths.Count, ExpertWidths.Chosen, RouterFunction.Softmax) { Normalised = true },
            w.Experts(ExpertWidths.Count, Hidden, Inner, "w1", "w3", "w2"),
            ActivationKind.Silu);
        return
        [
            new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, window: Windows[i])),
            new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), experts),
        ];
    }
}
