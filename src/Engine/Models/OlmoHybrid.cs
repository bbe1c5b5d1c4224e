using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type olmo_hybrid: gated delta rule with norms before its blocks in most layers; the others are Olmo 3's, with norms behind their blocks and over the whole of q and of k.</summary>
internal sealed class OlmoHybrid : DecoderFamily
{
    /// <summary>Not in config.json.</summary>
    private const float OutputEpsilon = 1e-5f;

    private readonly string[] _types;
    private readonly DeltaFields _delta;
    private readonly bool _bias;
    private readonly bool _positions;

    public OlmoHybrid(HfConfig config) : base(config, headDim: false)
    {
        _ = config.GetChoice("hidden_act", ["silu"], "silu");
        _bias = config.GetBoolean("attention_bias", false);
        _types = ReadLayerTypes(["linear_attention", "full_attention"], i => (i + 1) % 4 == 0 ? "full_attention" : "linear_attention");
        _delta = DeltaFields.Read(config, Hidden, config.GetBoolean("linear_allow_neg_eigval", true) ? 2 : 1);
        _positions = config.Section("rope_parameters")?.Has("rope_theta") == true || config.Has("rope_theta");
        Rotary = _positions ? [ReadRotary()] : [];
        CacheLayers = _types.Count(t => t == "full_attention");
        States = [.. Enumerable.Repeat(_delta.States, Layers - CacheLayers.Value).SelectMany(s => s)];
        Projected = DeltaRule.InputColumns(_delta.Shape);
        Scanned = _delta.Shape.ValueColumns;
    }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        // Written by one version of the reference under the names of its other kind of layer.
        string Name(string usual, string other) => weights.Contains(other + ".weight") ? other : usual;

        var mlp = weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.Silu);
        Norm first, second = weights.RmsNorm(_types[i] == "full_attention" ? "post_feedforward_layernorm" : Name("post_attention_layernorm", "feedforward_layer_norm"), Hidden, Epsilon);
        if (_types[i] == "full_attention")
        {
            first = weights.RmsNorm(Name("post_attention_layernorm", "feedforward_layer_norm"), Hidden, Epsilon);
            var attention = SelfAttention(weights, Ordinal(_types, i), _bias, _bias, _positions ? 0 : -1, norm: weights.Scope("self_attn.").QkNorm(Attention, Epsilon, wholeRow: true));
            return [new(Pre: null, attention, first), new(Pre: null, mlp, second)];
        }

        first = weights.RmsNorm(Name("input_layernorm", "attention_layer_norm"), Hidden, Epsilon);
        return [new(first, Delta(weights.Scope("linear_attn."), i)), new(second, mlp)];
    }

    private DeltaRule Delta(WeightLoader w, int i)
    {
        var shape = _delta.Shape;
        Projection[] input =
        [
            w.Linear("q_proj", shape.KeyColumns, Hidden), w.Linear("k_proj", shape.KeyColumns, Hidden), w.Linear("v_proj", shape.ValueColumns, Hidden),
            w.Linear("g_proj", shape.ValueColumns, Hidden), w.Linear("b_proj", shape.ValueHeads, Hidden), w.Linear("a_proj", shape.ValueHeads, Hidden),
        ];
        var norm = new GateNorm(w.Vector("o_norm.weight", shape.ValueDim), OutputEpsilon, shape.ValueHeads, GateFirst: false);
        var kernel = w.Kernels(["q_conv1d.weight", "k_conv1d.weight", "v_conv1d.weight"], [shape.KeyColumns, shape.KeyColumns, shape.ValueColumns], _delta.Width);
        return _delta.Mixer(w, Ordinal(_types, i), input, kernel, norm, "o_proj");
    }
}
