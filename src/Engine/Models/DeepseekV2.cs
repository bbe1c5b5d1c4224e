using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type deepseek_v2: latent attention; behind a few dense layers, experts chosen by softmax, within the best groups where the config says so, and a unit that every token takes.</summary>
internal class DeepseekV2 : DecoderFamily
{
    private readonly LatentFields _latent;
    private readonly RotaryPairs _pairs;
    private readonly bool _bias;
    private readonly int _dense;
    private readonly int _sharedInner;

    public DeepseekV2(HfConfig config) : this(config, dense: 0, shared: 2, mlpBias: config.GetBoolean("mlp_bias", false), RotaryPairs.Neighbours) => Routing = ReadSoftmax(config, ExpertWidths);

    /// <param name="config">config.json.</param>
    /// <param name="dense">What a missing first_k_dense_replace means.</param>
    /// <param name="shared">What a missing n_shared_experts means.</param>
    /// <param name="mlpBias">Dense units and the shared one have biases.</param>
    /// <param name="pairs">Which elements turn together.</param>
    protected DeepseekV2(HfConfig config, int dense, int shared, bool mlpBias, RotaryPairs pairs) : base(config, fields: new SizeFields { KvHeads = null, HeadDim = "qk_rope_head_dim" })
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        if (!config.IsNumber("moe_layer_freq", 1) && config.Has("moe_layer_freq"))
        {
            throw config.Unsupported("moe_layer_freq", "another number", "1");
        }

        (_bias, _pairs) = (mlpBias, pairs);
        ExpertWidths = ExpertFields.Read(config, ["n_routed_experts", "num_experts", "num_local_experts"], "moe_intermediate_size");
        _dense = config.GetInt32("first_k_dense_replace", 0, 1024, dense);
        _sharedInner = checked(config.GetInt32("n_shared_experts", 1, 64, shared) * ExpertWidths.Inner);
        _latent = LatentFields.Read(config, Hidden, queryLatent: 1536);
        Rotary = [ReadRotary()];
        Attention = _latent.Shape(RopeParameters.Read(config).LatentScale);
        (Projected, Scanned) = (_latent.Projected, _latent.Scanned);
    }

    protected sealed override ExpertWidths ExpertWidths { get; }
    protected override int WidestInner => Math.Max(Inner, _sharedInner);
    protected Routing Routing { get; init; } = null!;

    /// <summary>What a missing num_nextn_predict_layers means.</summary>
    protected virtual int NextLayers => 0;

    /// <summary>Further layers predict further tokens.</summary>
    protected override void LeaveAlone(WeightLoader body)
    {
        for (var i = 0; i < Config.GetInt32("num_nextn_predict_layers", 0, 64, NextLayers); i++)
        {
            body.IgnorePrefix($"layers.{Layers + i}.");
        }
    }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), _latent.Mixer(weights.Scope("self_attn."), i, Attention, pairs: _pairs)),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), Unit(weights.Scope("mlp."), i >= _dense)),
    ];

    /// <summary>The trained correction of the choice, where there is one.</summary>
    protected virtual DeviceBuffer? Correction(WeightLoader w) => null;

    private IMixer Unit(WeightLoader w, bool sparse) => !sparse
        ? w.GatedMlp(Hidden, Inner, ActivationKind.Silu, _bias)
        : new Experts(
            [w.Router("gate", ExpertWidths.Count, Hidden)],
            Routing with { Correction = Correction(w) },
            w.Experts(ExpertWidths.Count, Hidden, ExpertWidths.Inner),
            ActivationKind.Silu,
            new SharedExpert(w.Scope("shared_experts.").GatedMlp(Hidden, _sharedInner, ActivationKind.Silu, _bias)));

    private static Routing ReadSoftmax(HfConfig config, ExpertWidths widths)
    {
        _ = config.GetChoice("scoring_func", ["softmax"], "softmax");
        if (config.GetBoolean("norm_topk_prob", false))
        {
            throw config.Unsupported("norm_topk_prob", "true", "false");
        }

        var routing = new Routing(widths.Count, widths.Chosen, RouterFunction.Softmax) { Scale = (float)config.GetDouble("routed_scaling_factor", 1e-6, 1e6, 1) };
        return config.GetChoice("topk_method", ["greedy", "group_limited_greedy"], "greedy") == "greedy" ? routing
            : config.Has("n_group") && config.Has("topk_group") ? ExpertFields.ReadGroups(config, routing)
            : throw config.Invalid("topk_method", "needs n_group and topk_group");
    }
}
