using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type granitemoehybrid: Granite's factors; state spaces in most layers, attention in the others, mostly without positions; a shared unit in each, with experts beside it or without.</summary>
internal sealed class GraniteMoeHybrid : DecoderFamily
{
    private static readonly string[] AttentionNames = ["full_attention", "attention"];

    private readonly string[] _types;
    private readonly MambaFields _mamba;
    private readonly bool _bias;
    private readonly bool _positions;
    private readonly int _sharedInner;
    private readonly float _residual;

    public GraniteMoeHybrid(HfConfig config) : base(config, headDim: false, scale: _ => (float)config.GetDouble("attention_multiplier", 1e-6, 1e6, 1))
    {
        _ = config.GetChoice("hidden_act", ["silu"], "silu");
        ExpertWidths = config.IsNumber("num_local_experts", 0) ? null : ExpertFields.Read(config, ["num_local_experts"], "intermediate_size");
        _sharedInner = config.GetInt32("shared_intermediate_size", 1, 1 << 22);
        _bias = config.GetBoolean("attention_bias", false);
        _positions = config.Has("position_embedding_type") && config.GetChoice("position_embedding_type", ["rope", "nope"]) == "rope";
        _types = [.. ReadLayerTypes(["linear_attention", "mamba", .. AttentionNames], _ => "mamba").Select(t => AttentionNames.Contains(t, StringComparer.Ordinal) ? "attention" : "mamba")];
        _mamba = MambaFields.Read(config, Hidden, ("mamba_n_heads", "mamba_d_head", "mamba_n_groups", "mamba_d_state", "mamba_d_conv", "mamba_conv_bias", "mamba_proj_bias"));
        if (_mamba.Shape.Columns != config.GetInt32("mamba_expand", 1, 64, 2) * Hidden)
        {
            throw config.Invalid("mamba_expand", $"must be mamba_n_heads * mamba_d_head ({_mamba.Shape.Columns}) / hidden_size ({Hidden})");
        }

        _residual = (float)config.GetDouble("residual_multiplier", 1e-6, 1e6, 1);
        EmbeddingScale = (float)config.GetDouble("embedding_multiplier", 1e-6, 1e6, 1);
        LogitScale = 1f / (float)config.GetDouble("logits_scaling", 1e-6, 1e6, 1);
        Rotary = _positions ? [ReadRotary()] : [];
        CacheLayers = _types.Count(t => t == "attention");
        States = [.. Enumerable.Repeat(_mamba.States, Layers - CacheLayers.Value).SelectMany(s => s)];
        Projected = StateSpace.InputColumns(_mamba.Shape);
        Scanned = _mamba.Shape.Columns;
    }

    protected override ExpertWidths? ExpertWidths { get; }
    protected override int WidestInner => _sharedInner;
    protected override float EmbeddingScale { get; }
    protected override float LogitScale { get; }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        IMixer mixer = _types[i] == "attention"
            ? SelfAttention(weights, Ordinal(_types, i), _bias, _bias, _positions ? 0 : -1)
            : StateSpaceOf(weights.Scope("mamba."), i);
        return
        [
            new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), mixer, Scale: _residual),
            new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), Unit(weights), Scale: _residual),
        ];
    }

    private StateSpace StateSpaceOf(WeightLoader w, int i) =>
        _mamba.Mixer(w, Ordinal(_types, i), new GateNorm(w.Vector("norm.weight", _mamba.Shape.Columns), Epsilon, Groups: 1, GateFirst: true));

    private IMixer Unit(WeightLoader weights)
    {
        WeightLoader w = weights.Scope("block_sparse_moe."), s = weights.Scope("shared_mlp.");
        var shared = new GatedMlp([s.Linear("input_linear", 2 * _sharedInner, Hidden)], [s.Linear("output_linear", Hidden, _sharedInner)], ActivationKind.Silu);
        return ExpertWidths is not { } widths
            ? shared
            : new Experts(
                [w.Router("router.layer", widths.Count, Hidden)],
                new Routing(widths.Count, widths.Chosen, RouterFunction.Softmax) { Normalised = true },
                w.StackedExperts("input_linear.weight", "output_linear.weight", widths.Count, Hidden, Inner),
                ActivationKind.Silu,
                new SharedExpert(shared));
    }
}
