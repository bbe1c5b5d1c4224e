using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type gpt_oss: biases everywhere, attention with sinks and windows in every other layer, experts with a clamped gate.</summary>
internal sealed class GptOss : DecoderFamily
{
    private readonly bool _bias;
    private readonly Activation _activation;

    public GptOss(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        ExpertWidths = ExpertFields.Read(config, ["num_local_experts", "num_experts"], "intermediate_size");
        _bias = config.GetBoolean("attention_bias", true);
        Windows = ReadWindows(config.GetInt32("sliding_window", 1, int.MaxValue, 128), i => i % 2 == 0);
        _activation = new Activation(
            ActivationKind.ClampedSwish,
            Alpha: (float)config.GetDouble("swiglu_alpha", 1e-6, 1e6, 1.702),
            Limit: (float)config.GetDouble("swiglu_limit", 1e-6, 1e6, 7));
        RequireRope();
        Rotary = [ReadRotary(defaultTheta: 150_000)];
    }

    protected override ExpertWidths ExpertWidths { get; }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var attention = SelfAttention(weights, i, _bias, _bias, window: Windows[i]);
        var w = weights.Scope("mlp.");
        var experts = new Experts(
            [w.Router("router", ExpertWidths.Count, Hidden, bias: true)],
            new Routing(ExpertWidths.Count, ExpertWidths.Chosen, RouterFunction.Softmax) { Normalised = true },
            w.TransposedExperts("experts.gate_up_proj", "experts.down_proj", ExpertWidths.Count, Hidden, Inner),
            _activation);
        return
        [
            new(
                weights.RmsNorm("input_layernorm", Hidden, Epsilon),
                attention with { Shape = attention.Shape with { Sinks = weights.Vector("self_attn.sinks", Attention.Heads) } }),
            new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), experts),
        ];
    }
}
