using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type qwen2_moe: Qwen 2's layer with experts, beside them a unit that every token takes as far as its gate lets it.</summary>
internal sealed class Qwen2Moe : DecoderFamily
{
    private readonly bool _bias;
    private readonly bool _normalised;
    private readonly bool[] _sparse;
    private readonly int _sharedInner;

    public Qwen2Moe(HfConfig config) : base(config, headDim: false)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        ExpertWidths = ExpertFields.Read(config, ["num_experts", "num_local_experts"], "moe_intermediate_size");
        _sharedInner = config.GetInt32("shared_expert_intermediate_size", 1, 1 << 22);
        _normalised = config.GetBoolean("norm_topk_prob", false);
        _bias = config.GetBoolean("qkv_bias", true);
        _sparse = ExpertFields.ReadSparseLayers(config, Layers);
        var window = SwitchedWindow();
        var first = config.GetInt32("max_window_layers", 0, int.MaxValue, 28);
        Windows = ReadWindows(window, i => window is not null && i % 2 == 0 && i < first);
        Rotary = [ReadRotary()];
    }

    protected override ExpertWidths ExpertWidths { get; }
    protected override int WidestInner => Math.Max(Inner, _sharedInner);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, _bias, window: Windows[i])),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), QwenExperts.Unit(weights.Scope("mlp."), _sparse[i], Hidden, Inner, ExpertWidths, _sharedInner, _normalised)),
    ];
}

/// <summary>The feed-forward unit of Qwen's mixtures of experts: experts with a gated shared one beside them, or a plain gated unit in layers that are not sparse.</summary>
internal static class QwenExperts
{
    /// <param name="w">Names are relative to <c>mlp</c>.</param>
    /// <param name="sparse">Whether this layer has experts.</param>
    /// <param name="hidden">The model's width.</param>
    /// <param name="inner">Inner width of a plain unit.</param>
    /// <param name="widths">Number, choice and inner width of the experts.</param>
    /// <param name="sharedInner">Inner width of the shared expert.</param>
    /// <param name="normalised">Whether the chosen experts' weights sum to one.</param>
    public static IMixer Unit(WeightLoader w, bool sparse, int hidden, int inner, ExpertWidths widths, int sharedInner, bool normalised) => !sparse
        ? w.GatedMlp(hidden, inner, ActivationKind.Silu)
        : new Experts(
            [w.Router("gate", widths.Count, hidden)],
            new Routing(widths.Count, widths.Chosen, RouterFunction.Softmax) { Normalised = normalised },
            w.Experts(widths.Count, hidden, widths.Inner),
            ActivationKind.Silu,
            new SharedExpert(w.Scope("shared_expert.").GatedMlp(hidden, sharedInner, ActivationKind.Silu), [w.Linear("shared_expert_gate", 1, hidden)]));
}
