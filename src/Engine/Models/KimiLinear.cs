using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type kimi_linear: gated delta rule with a decay for every channel in most layers, latent attention without positions in the others; experts as DeepSeek 3 chooses them.</summary>
internal sealed class KimiLinear : DecoderFamily
{
    private readonly string[] _types;
    private readonly string[] _units;
    private readonly LatentFields _latent;
    private readonly DeltaShape _delta;
    private readonly int _width;
    private readonly int _sharedInner;
    private readonly Routing _routing;

    public KimiLinear(HfConfig config) : base(config, fields: new SizeFields { KvHeads = null, HeadDim = "v_head_dim", Positions = config.Has("model_max_length") ? "model_max_length" : "max_position_embeddings" })
    {
        _ = config.GetChoice("hidden_act", ["silu"], "silu");
        _ = config.GetChoice("moe_router_activation_func", ["sigmoid"], "sigmoid");
        Refuse(!config.GetBoolean("mla_use_nope", true), "mla_use_nope", "false");
        Refuse(config.GetBoolean("mla_use_output_gate", false), "mla_use_output_gate", "true");
        Refuse(config.GetBoolean("use_full_rank_output_gate", false), "use_full_rank_output_gate", "true");
        Refuse(config.Has("forget_gate_lower_bound"), "forget_gate_lower_bound", "given");
        Refuse(config.Has("attn_res_block_size") && !config.IsNumber("attn_res_block_size", 0), "attn_res_block_size", "given");
        Refuse(config.Has("dense_ffn_hidden") && !config.IsNumber("dense_ffn_hidden", Inner), "dense_ffn_hidden", "another than intermediate_size");
        Refuse(config.Has("moe_layer_freq") && !config.IsNumber("moe_layer_freq", 1), "moe_layer_freq", "another than 1");
        Refuse(config.GetBoolean("attention_bias", false), "attention_bias", "true");

        var linear = config.Section("linear_attn_config");
        ConfigSection section = linear ?? config;
        int heads = section.GetInt32(linear is null ? "linear_num_heads" : "num_heads", 1, 4096), size = section.GetInt32(linear is null ? "linear_head_dim" : "head_dim", 1, 1024);
        _delta = new DeltaShape(heads, heads, size, size);
        _width = section.GetInt32(linear is null ? "linear_conv_kernel_dim" : "short_conv_kernel_size", 1, 16, 4);
        var full = linear?.FindInt32Array("full_attn_layers", 1, 1024);
        _types = ReadLayerTypes(["linear_attention", "full_attention"], i => full?.Contains(i + 1) ?? ((i + 1) % 4 == 0) ? "full_attention" : "linear_attention");
        var dense = config.GetInt32("first_k_dense_replace", 0, 1024, 1);
        _units = ReadLayerTypes(["dense", "sparse"], i => i < dense ? "dense" : "sparse", "mlp_layer_types");

        ExpertWidths = ExpertFields.Read(config, ["num_experts", "n_routed_experts"], "moe_intermediate_size", config.Has("num_experts_per_tok") ? "num_experts_per_tok" : "num_experts_per_token");
        _sharedInner = checked(config.GetInt32("num_shared_experts", 1, 64, 1) * ExpertWidths.Inner);
        _routing = ExpertFields.ReadCorrected(config, ExpertWidths, scale: 2.446, normalised: "moe_renormalize", field: "num_expert_group");
        _latent = LatentFields.Read(config, Hidden, least: 0);
        Attention = _latent.Shape();
        CacheLayers = _types.Count(t => t == "full_attention");
        States = [.. Enumerable.Repeat(DeltaRule.States(_delta, _width), Layers - CacheLayers.Value).SelectMany(s => s)];
        Projected = Math.Max(DeltaRule.InputColumns(_delta, _delta.ValueDim), _latent.Projected);
        Scanned = Math.Max(_delta.ValueColumns, _latent.Scanned);
    }

    protected override ExpertWidths ExpertWidths { get; }
    protected override int WidestInner => Math.Max(Inner, _sharedInner);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var w = weights.Scope("self_attn.");
        return
        [
            new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), _types[i] == "full_attention" ? _latent.Mixer(w, Ordinal(_types, i), Attention, rotary: -1) : Delta(w, Ordinal(_types, i))),
            new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), Unit(weights.Scope(weights.Contains("block_sparse_moe." + Probe(_units[i])) ? "block_sparse_moe." : "mlp."), _units[i])),
        ];
    }

    /// <summary>Names of the unit's scope differ among files: a name that tells.</summary>
    private static string Probe(string unit) => unit == "dense" ? "gate_proj.weight" : "gate.weight";

    private DeltaRule Delta(WeightLoader w, int i)
    {
        int columns = _delta.ValueColumns, size = _delta.ValueDim, heads = _delta.ValueHeads;
        Projection[] input = [w.Linear("q_proj", columns, Hidden), w.Linear("k_proj", columns, Hidden), w.Linear("v_proj", columns, Hidden), w.Linear("g_a_proj", size, Hidden), w.Linear("b_proj", heads, Hidden), w.Linear("f_a_proj", size, Hidden)];
        var kernel = w.Kernels(["q_conv1d.weight", "k_conv1d.weight", "v_conv1d.weight"], [columns, columns, columns], _width);
        var norm = new GateNorm(w.Vector("o_norm.weight", size), Epsilon, heads, GateFirst: false, ActivationKind.Sigmoid);
        return new DeltaRule(2 * i, _delta, input, kernel, new DeltaWeights(w.Vector("A_log", [1, 1, heads, 1]), w.Vector("dt_bias", columns)), norm, [w.Linear("o_proj", Hidden, columns)])
        {
            Up = ([w.Linear("g_b_proj", columns, size)], [w.Linear("f_b_proj", columns, size)]),
        };
    }

    private IMixer Unit(WeightLoader w, string unit) => unit == "dense"
        ? w.GatedMlp(Hidden, Inner, ActivationKind.Silu)
        : new Experts(
            [w.Router("gate", ExpertWidths.Count, Hidden)],
            _routing with { Correction = w.Vector("gate.e_score_correction_bias", ExpertWidths.Count) },
            w.Experts(ExpertWidths.Count, Hidden, ExpertWidths.Inner, "w1", "w3", "w2"),
            ActivationKind.Silu,
            new SharedExpert(w.Scope("shared_experts.").GatedMlp(Hidden, _sharedInner, ActivationKind.Silu)));

    private void Refuse(bool refused, string field, string actual)
    {
        if (refused)
        {
            throw Config.Unsupported(field, actual, "what the published models have");
        }
    }
}
