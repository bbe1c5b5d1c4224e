using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type qwen3_5_text: gated delta rule in three layers of four, attention with an output gate in the fourth; norms that store their gain less one.</summary>
internal class Qwen35Text : DecoderFamily
{
    private readonly string[] _types;
    private readonly DeltaFields _delta;

    public Qwen35Text(HfConfig config, SizeFields? fields = null) : base(config, fields: fields)
    {
        _ = config.GetChoice("hidden_act", ["silu"], "silu");
        if (config.GetBoolean("attention_bias", false))
        {
            throw config.Unsupported("attention_bias", "true", "false");
        }

        if (!config.GetBoolean("attn_output_gate", true))
        {
            throw config.Unsupported("attn_output_gate", "false", "true");
        }

        var interval = config.GetInt32("full_attention_interval", 1, 1024, 4);
        _types = ReadLayerTypes(["linear_attention", "full_attention"], i => (i + 1) % interval == 0 ? "full_attention" : "linear_attention");
        _delta = DeltaFields.Read(config, Hidden);
        Rotary = [ReadRotary(defaultPartial: 0.25, alsoKnown: ["mrope_section", "mrope_interleaved"])];
        CacheLayers = _types.Count(t => t == "full_attention");
        States = [.. Enumerable.Repeat(_delta.States, Layers - CacheLayers.Value).SelectMany(s => s)];
        Projected = Math.Max(DeltaRule.InputColumns(_delta.Shape), Attention.QueryColumns);
        Scanned = _delta.Shape.ValueColumns;
    }

    protected override BodyNames Names { get; } = new() { Beside = ["mtp."] };

    protected override Norm FinalNorm(WeightLoader weights) => weights.RmsNorm("norm", Hidden, Epsilon, offset: 1);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon, offset: 1), _types[i] == "full_attention" ? GatedAttention(weights.Scope("self_attn."), i) : Delta(weights.Scope("linear_attn."), i)),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon, offset: 1), Unit(weights.Scope("mlp."))),
    ];

    protected virtual IMixer Unit(WeightLoader w) => w.GatedMlp(Hidden, Inner, ActivationKind.Silu);

    /// <summary>q_proj holds, head after head, the head's query and its gate.</summary>
    private Attention GatedAttention(WeightLoader w, int i)
    {
        int headDim = Attention.HeadDim, heads = Attention.Heads;
        var both = w.InterleavedLinear("q_proj", heads, 2, headDim, Hidden, bias: false);
        Projection[] qkv = [.. both[..heads], w.Linear("k_proj", Attention.KeyColumns, Hidden), w.Linear("v_proj", Attention.KeyColumns, Hidden)];
        return new Attention(Ordinal(_types, i), Attention, Rotary: 0, RotaryPairs.Halves, qkv, [w.Linear("o_proj", Hidden, Attention.QueryColumns)])
        {
            Norm = w.QkNorm(Attention, Epsilon, offset: 1),
            Gate = both[heads..],
        };
    }

    private DeltaRule Delta(WeightLoader w, int i)
    {
        var shape = _delta.Shape;
        Projection[] input =
        [
            w.Linear("in_proj_qkv", shape.QkvColumns, Hidden), w.Linear("in_proj_z", shape.ValueColumns, Hidden),
            w.Linear("in_proj_b", shape.ValueHeads, Hidden), w.Linear("in_proj_a", shape.ValueHeads, Hidden),
        ];
        var norm = new GateNorm(w.Vector("norm.weight", shape.ValueDim), Epsilon, shape.ValueHeads, GateFirst: false);
        return _delta.Mixer(w, Ordinal(_types, i), input, w.Vector("conv1d.weight", [shape.QkvColumns, 1, _delta.Width]), norm, "out_proj");
    }
}
