using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type qwen3_next: Qwen 3.5's layers with experts, and with the products of the delta rule stored head group by head group.</summary>
internal sealed class Qwen3Next : DecoderFamily
{
    private readonly string[] _types;
    private readonly DeltaFields _delta;
    private readonly bool[] _sparse;
    private readonly bool _normalised;
    private readonly int _sharedInner;

    public Qwen3Next(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["silu"], "silu");
        if (config.GetBoolean("attention_bias", false))
        {
            throw config.Unsupported("attention_bias", "true", "false");
        }

        var interval = config.GetInt32("full_attention_interval", 1, 1024, 4);
        _types = ReadLayerTypes(["linear_attention", "full_attention"], i => (i + 1) % interval == 0 ? "full_attention" : "linear_attention");
        _delta = DeltaFields.Read(config, Hidden);
        ExpertWidths = ExpertFields.Read(config, ["num_experts", "num_local_experts"], "moe_intermediate_size");
        _sparse = ExpertFields.ReadSparseLayers(config, Layers);
        _normalised = config.GetBoolean("norm_topk_prob", true);
        _sharedInner = config.GetInt32("shared_expert_intermediate_size", 1, 1 << 22);
        Rotary = [ReadRotary(defaultPartial: 0.25)];
        CacheLayers = _types.Count(t => t == "full_attention");
        States = [.. Enumerable.Repeat(_delta.States, Layers - CacheLayers.Value).SelectMany(s => s)];
        Projected = Math.Max(DeltaRule.InputColumns(_delta.Shape), Attention.QueryColumns);
        Scanned = _delta.Shape.ValueColumns;
    }

    protected override ExpertWidths ExpertWidths { get; }
    protected override int WidestInner => Math.Max(Inner, _sharedInner);

    protected override BodyNames Names { get; } = new() { Beside = ["mtp."] };

    protected override Norm FinalNorm(WeightLoader weights) => weights.RmsNorm("norm", Hidden, Epsilon, offset: 1);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon, offset: 1), _types[i] == "full_attention" ? GatedAttention(weights.Scope("self_attn."), i) : Delta(weights.Scope("linear_attn."), i)),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon, offset: 1), QwenExperts.Unit(weights.Scope("mlp."), _sparse[i], Hidden, Inner, ExpertWidths, _sharedInner, _normalised)),
    ];

    /// <summary>q_proj holds, head after head, the head's query and its gate.</summary>
    private Attention GatedAttention(WeightLoader w, int i)
    {
        var heads = Attention.Heads;
        var both = w.InterleavedLinear("q_proj", heads, 2, Attention.HeadDim, Hidden, bias: false);
        Projection[] qkv = [.. both[..heads], w.Linear("k_proj", Attention.KeyColumns, Hidden), w.Linear("v_proj", Attention.KeyColumns, Hidden)];
        return new Attention(Ordinal(_types, i), Attention, Rotary: 0, RotaryPairs.Halves, qkv, [w.Linear("o_proj", Hidden, Attention.QueryColumns)])
        {
            Norm = w.QkNorm(Attention, Epsilon, offset: 1),
            Gate = both[heads..],
        };
    }

    /// <summary>Each key head is stored with the value heads that share it: q, k, v, gate; and beta, decay.</summary>
    private DeltaRule Delta(WeightLoader w, int i)
    {
        var shape = _delta.Shape;
        int group = shape.ValueHeads / shape.KeyHeads, values = group * shape.ValueDim;
        Projection[] input =
        [
            .. w.InterleavedLinear("in_proj_qkvz", shape.KeyHeads, [shape.KeyDim, shape.KeyDim, values, values], Hidden),
            .. w.InterleavedLinear("in_proj_ba", shape.KeyHeads, [group, group], Hidden),
        ];
        var norm = new GateNorm(w.Vector("norm.weight", shape.ValueDim), Epsilon, shape.ValueHeads, GateFirst: false);
        return _delta.Mixer(w, Ordinal(_types, i), input, w.Vector("conv1d.weight", [shape.QkvColumns, 1, _delta.Width]), norm, "out_proj");
    }
}
