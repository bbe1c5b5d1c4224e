using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type gemma4_text: windowed and full layers with head sizes of their own, values that may be keys, layers that share them, proportional positions, an embedding for each layer,
/// experts beside the dense unit.</summary>
internal sealed class Gemma4Text : DecoderFamily
{
    private const string Full = "full_attention";

    private readonly GemmaLayers _layers;
    private readonly AttentionShape[] _shapes;
    private readonly bool _keysAreValues;
    private readonly int _innerOfShared;
    private readonly int _perLayer;
    private readonly int _perLayerVocabulary;
    private readonly float _logitCap;

    public Gemma4Text(HfConfig config) : base(config, tied: true, scale: _ => 1f)
    {
        GemmaFields.CheckActivation(config);
        _ = config.GetChoice("use_bidirectional_attention", ["vision"], "vision");    // in images alone
        var types = ReadLayerTypes([Full, "sliding_attention"], i => (i + 1) % 6 == 0 ? Full : "sliding_attention");
        types[^1] = Full;    // whatever the config says
        _layers = new GemmaLayers(Hidden, Epsilon, config.GetBoolean("attention_bias", false), GemmaLayers.ReadSources(config, types, absent: 0));
        _keysAreValues = config.GetBoolean("attention_k_eq_v", false);
        _innerOfShared = config.GetBoolean("use_double_wide_mlp", false) ? checked(2 * Inner) : Inner;
        _perLayer = config.GetInt32("hidden_size_per_layer_input", 0, 1 << 20, 256);
        _perLayerVocabulary = config.GetInt32("vocab_size_per_layer_input", 1, 1 << 24, 262_144);
        _logitCap = (float)(config.FindDouble("final_logit_softcapping", 1e-3, 1e6) ?? 0);
        _shapes = ReadShapes(types, config.GetInt32("sliding_window", 1, int.MaxValue, 512));
        ExpertWidths = config.GetBoolean("enable_moe_block", false) ? ExpertFields.Read(config, ["num_experts"], "moe_intermediate_size", "top_k_experts") : null;
        Rotary = [Positions(Full, types), Positions("sliding_attention", types)];
        Projected = _perLayer;
    }

    protected override ExpertWidths? ExpertWidths { get; }
    protected override int WidestInner => _innerOfShared;
    protected override AttentionShape WidestAttention => Attention with { KvHeads = _shapes.Max(s => s.KvHeads), HeadDim = _shapes.Max(s => s.HeadDim) };
    protected override IReadOnlyList<KvLayer> Cache => [.. _shapes.Where((_, i) => _layers.Sources[i] == i).Select(s => new KvLayer(s.KvHeads, s.HeadDim, s.Window))];
    protected override int PerLayerColumns => Layers * _perLayer;
    protected override float EmbeddingScale => MathF.Sqrt(Hidden);
    protected override float LogitSoftCap => _logitCap;

    protected override void LeaveAlone(WeightLoader body) => _layers.LeaveAlone(body);

    protected override PerLayerEmbedding? PerLayer(WeightLoader body) => _perLayer == 0 ? null : _layers.Embedding(body, _perLayerVocabulary, _perLayer);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        Norm Norm(string name) => weights.RmsNorm(name, Hidden, Epsilon);
        var full = _shapes[i].Window == 0;
        var mlp = weights.Scope("mlp.").GatedMlp(Hidden, _layers.Sources[i] == i ? Inner : _innerOfShared, ActivationKind.GeluTanh);
        List<Block> blocks =
        [
            new(Norm("input_layernorm"), _layers.Attention(weights, i, _shapes[i], full ? 0 : 1, _keysAreValues && full), Norm("post_attention_layernorm")),
            new(Norm("pre_feedforward_layernorm"), ExpertWidths is null ? mlp : Beside(weights, mlp, ExpertWidths), Norm("post_feedforward_layernorm")),
        ];
        if (_perLayer > 0)
        {
            blocks.Add(new(Pre: null, _layers.Input(weights, i, _perLayer), Norm("post_per_layer_input_norm")));
        }

        var scalar = weights.Scalar("layer_scalar", absent: 1, vector: true);
        blocks[^1] = blocks[^1] with { Scale = scalar, Kept = scalar };
        return blocks;
    }

    private ExpertsBeside Beside(WeightLoader weights, GatedMlp dense, ExpertWidths widths)
    {
        var routing = new Routing(widths.Count, widths.Chosen, RouterFunction.Softmax) { Normalised = true, Factors = weights.Vector("router.per_expert_scale", widths.Count) };
        var stacked = weights.Scope("experts.").StackedExperts("gate_up_proj", "down_proj", widths.Count, Hidden, widths.Inner);
        return new ExpertsBeside(
            dense,
            weights.RmsNorm("post_feedforward_layernorm_1", Hidden, Epsilon),
            new Experts([weights.Router("router.proj", widths.Count, Hidden)], routing, stacked, ActivationKind.GeluTanh),
            new Norm(weights.ScaledVector("router.scale", Hidden, 1 / MathF.Sqrt(Hidden)), Bias: null, Epsilon, Centered: false),
            weights.RmsNorm("pre_feedforward_layernorm_2", Hidden, Epsilon),
            weights.RmsNorm("post_feedforward_layernorm_2", Hidden, Epsilon));
    }

    /// <summary>Heads of every layer: <c>per_layer_config</c>, or the fields that older files have for full layers.</summary>
    private AttentionShape[] ReadShapes(string[] types, int window)
    {
        var perLayer = Config.Section("per_layer_config");
        PerLayerFields.Check(perLayer, Layers);
        var globalHeads = _keysAreValues ? Config.FindInt32("num_global_key_value_heads", 1, 4096) : null;
        var globalDim = perLayer is null ? Config.GetInt32("global_head_dim", 2, 1024, 512) : Attention.HeadDim;
        return [.. types.Select((type, i) =>
        {
            var own = PerLayerFields.Find(perLayer, i, "head_dim", "num_key_value_heads");
            var plain = perLayer is not null || type != Full;
            var shape = Attention with
            {
                HeadDim = own?.FindInt32("head_dim", 2, 1024) ?? (plain ? Attention.HeadDim : globalDim),
                KvHeads = own?.FindInt32("num_key_value_heads", 1, 4096) ?? (plain ? Attention.KvHeads : globalHeads ?? Attention.KvHeads),
                Window = type == Full ? 0 : window,
            };
            return shape.Heads % shape.KvHeads == 0 && shape.HeadDim % 2 == 0 ? shape
                : throw Config.Invalid("per_layer_config", $"must give layer {i} an even head size and a divisor of {shape.Heads} as number of key-value heads");
        })];
    }

    /// <summary>Positions of the layers of a type, which must have one head size.</summary>
    private RotaryFrequencies Positions(string type, string[] types)
    {
        var first = Array.IndexOf(types, type);
        if (Array.Exists(_shapes, s => (s.Window == 0) == (type == Full) && s with { Window = 0 } != _shapes[first] with { Window = 0 }))
        {
            throw Config.Unsupported("per_layer_config", $"different for layers of the type {type}", "one shape for each type of layer");
        }

        var rope = Config.Section("rope_parameters") is { } section
            ? first < 0 && !section.Has(type) ? new RopeParameters { Kind = RopeKind.Default, Theta = 10_000 } : RopeParameters.Read(Config, double.NaN, layerType: type)
            : type == Full ? new RopeParameters { Kind = RopeKind.Proportional, Theta = 1e6, PartialRotaryFactor = 0.25 } : new RopeParameters { Kind = RopeKind.Default, Theta = 10_000 };
        return Frequencies(rope, first < 0 ? Attention.HeadDim : _shapes[first].HeadDim);
    }
}
