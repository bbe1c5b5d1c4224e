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
    private readonly int[] _windows;

    public Qwen2Moe(HfConfig config) : base(config, headDim: false)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        ExpertWidths = ExpertFields.Read(config, ["num_experts", "num_local_experts"], "moe_intermediate_size");
        _sharedInner = config.GetInt32("shared_expert_intermediate_size", 1, 1 << 22);
        _normalised = config.GetBoolean("norm_topk_prob", false);
        _bias = config.GetBoolean("qkv_bias", true);
        _sparse = ExpertFields.ReadSparseLayers(config, Layers);
        var window = config.GetBoolean("use_sliding_window", false) ? config.FindInt32("sliding_window", 1, int.MaxValue) : null;
        var first = config.GetInt32("max_window_layers", 0, int.MaxValue, 28);
        _windows = ReadWindows(window, i => window is not null && i % 2 == 0 && i < first);
        Rotary = [ReadRotary()];
    }

    protected override ExpertWidths ExpertWidths { get; }
    protected override int WidestInner => Math.Max(Inner, _sharedInner);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, _bias, window: _windows[i])),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), Unit(weights.Scope("mlp."), _sparse[i])),
    ];

    private IMixer Unit(WeightLoader w, bool sparse) => !sparse
        ? w.GatedMlp(Hidden, Inner, ActivationKind.Silu)
        : new Experts(
            [w.Linear("gate", ExpertWidths.Count, Hidden)],
            new Routing(ExpertWidths.Count, ExpertWidths.Chosen, RouterFunction.Softmax) { Normalised = _normalised },
            w.ExpertsOneByOne(ExpertWidths.Count, Hidden, ExpertWidths.Inner),
            ActivationKind.Silu,
            new SharedExpert(w.Scope("shared_expert.").GatedMlp(Hidden, _sharedInner, ActivationKind.Silu), [w.Linear("shared_expert_gate", 1, Hidden)]));
}
