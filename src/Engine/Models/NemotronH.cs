using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type nemotron_h: every layer is one mixer behind a norm, a state space, attention without positions, a unit without gate, or a mixture of such units.</summary>
internal sealed class NemotronH : DecoderFamily
{
    private readonly string[] _kinds;
    private readonly MambaFields _mamba;
    private readonly bool _attentionBias;
    private readonly bool _mlpBias;
    private readonly int _sharedInner;
    private readonly Routing? _routing;

    public NemotronH(HfConfig config) : base(config, "layer_norm_epsilon", fields: new SizeFields { LayerCount = ReadKinds(config).Length })
    {
        _ = config.GetChoice("mlp_hidden_act", ["relu2"], "relu2");
        _ = config.GetChoice("mamba_hidden_act", ["silu"], "silu");
        foreach (var field in (string[])["sliding_window", "attention_head_dim"])
        {
            if (config.Has(field) && !config.IsNumber(field, Attention.HeadDim))
            {
                throw config.Unsupported(field, "given", "null");
            }
        }

        if (!config.Has("head_dim"))
        {
            throw config.Invalid("head_dim", "must be given");
        }

        _kinds = ReadKinds(config);
        _ = config.GetInt32(Named("mamba_n_groups", "n_groups"), 1, 1 << 16);
        _mamba = MambaFields.Read(config, Hidden, ("mamba_num_heads", "mamba_head_dim", Named("mamba_n_groups", "n_groups"), "ssm_state_size", Named("mamba_d_conv", "conv_kernel"), Named("mamba_conv_bias", "use_conv_bias"), "use_bias"));
        _attentionBias = config.GetBoolean("attention_bias", false);
        _mlpBias = config.GetBoolean("mlp_bias", false);
        CacheLayers = _kinds.Count(k => k == "attention");
        States = [.. Enumerable.Repeat(_mamba.States, _kinds.Count(k => k == "mamba")).SelectMany(s => s)];
        Projected = StateSpace.InputColumns(_mamba.Shape);
        Scanned = _mamba.Shape.Columns;
        if (!_kinds.Contains("moe", StringComparer.Ordinal))
        {
            return;
        }

        ExpertWidths = ExpertFields.Read(config, ["n_routed_experts", "num_local_experts"], "moe_intermediate_size") with { Latent = config.FindInt32("moe_latent_size", 1, 1 << 20) ?? 0 };
        _sharedInner = config.GetInt32("moe_shared_expert_intermediate_size", 1, 1 << 22);
        _ = config.GetInt32("n_shared_experts", 1, 64, 1);
        _routing = ExpertFields.ReadCorrected(config, ExpertWidths);
    }

    protected override string Kind(int layer) => _kinds[layer];
    protected override ExpertWidths? ExpertWidths { get; }
    protected override int WidestInner => Math.Max(Inner, _sharedInner);
    protected override BodyNames Names { get; } = new() { Prefix = "backbone.", Table = "embeddings", Norm = "norm_f", Beside = ["mtp."] };

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var w = weights.Scope("mixer.");
        IMixer mixer = _kinds[i] switch
        {
            "mamba" => _mamba.Mixer(w, Ordinal(_kinds, i), new GateNorm(w.Vector("norm.weight", _mamba.Shape.Columns), Epsilon, _mamba.Shape.Groups, GateFirst: true)),
            "attention" => SelfAttention(weights, Ordinal(_kinds, i), _attentionBias, _attentionBias, rotary: -1, scope: "mixer."),
            "mlp" => Unit(w, Inner),
            _ => Sparse(w, ExpertWidths!),
        };
        return [new(weights.RmsNorm("norm", Hidden, Epsilon), mixer)];
    }

    private Mlp Unit(WeightLoader w, int inner) => new([w.Linear("up_proj", inner, Hidden, _mlpBias)], [w.Linear("down_proj", Hidden, inner, _mlpBias)], ActivationKind.ReluSquared);

    private Experts Sparse(WeightLoader w, ExpertWidths widths)
    {
        ExpertLatent? latent = widths.Latent == 0 ? null : new([w.Linear("fc1_latent_proj", widths.Latent, Hidden, _mlpBias)], [w.Linear("fc2_latent_proj", Hidden, widths.Latent, _mlpBias)]);
        return new Experts(
            [w.Router("gate", widths.Count, Hidden)],
            _routing! with { Correction = w.Vector("gate.e_score_correction_bias", widths.Count) },
            w.UngatedExperts(widths.Count, latent?.Width ?? Hidden, widths.Inner),
            ActivationKind.ReluSquared,
            new SharedExpert(Unit(w.Scope("shared_experts."), _sharedInner)))
        { Latent = latent };
    }

    private string Named(string former, string current) => Config.Has(former) ? former : current;

    /// <summary>Kinds of the layers, written as a list of words, or as a letter each in older files.</summary>
    private static string[] ReadKinds(HfConfig config)
    {
        var field = Array.Find(["layers_block_type", "layer_types"], config.Has) ?? "hybrid_override_pattern";
        string[] written = field == "hybrid_override_pattern" ? [.. config.GetString(field).Select(letter => letter.ToString())] : config.FindStringArray(field) ?? [];
        string[] kinds = [.. written.Select(word => word switch
        {
            "linear_attention" or "mamba" or "M" => "mamba",
            "full_attention" or "attention" or "*" => "attention",
            "moe" or "E" => "moe",
            "mlp" or "-" => "mlp",
            _ => throw config.Unsupported(field, Excerpt.Of(word), "linear_attention (M), full_attention (*), moe (E), mlp (-)"),
        })];
        return kinds.Length is 0 or > 1024 || kinds.Length != config.GetInt32("num_hidden_layers", 1, 1024, kinds.Length)
            ? throw config.Invalid(field, "must have an entry for each layer, 1 to 1024")
            : kinds;
    }
}
