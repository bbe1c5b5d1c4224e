using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type ministral3: Llama's layer whose attention sharpens beyond the length that the model was trained for.</summary>
internal sealed class Ministral3 : DecoderFamily
{
    public Ministral3(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        Windows = UniformWindows(config.FindInt32("sliding_window", 1, int.MaxValue));
        RequireRope();
        Rotary = [ReadRotary(defaultTheta: double.NaN, alsoKnown: ["llama_4_scaling_beta", "max_position_embeddings"])];
        var section = config.Section("rope_parameters") ?? config.Section("rope_scaling");
        if (section?.FindDouble("llama_4_scaling_beta", 0, 1e6) is { } beta)
        {
            Attention = Attention with { Growth = new ScaleGrowth((float)beta, section.GetInt32("original_max_position_embeddings", 1, int.MaxValue)) };
        }
    }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, window: Windows[i])),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.Silu)),
    ];
}
