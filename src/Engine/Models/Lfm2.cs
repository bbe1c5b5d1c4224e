using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type lfm2: gated short convolutions in most layers, attention with norms on q and k in the others, a gated unit behind each.</summary>
internal sealed class Lfm2 : DecoderFamily
{
    private readonly string[] _types;
    private readonly int _width;
    private readonly bool _bias;

    public Lfm2(HfConfig config) : base(config, "norm_eps", headDim: false, tied: config.GetBoolean("tie_embedding", true))
    {
        var full = config.FindInt32Array("full_attn_idxs", 0, Layers - 1) ?? [.. Enumerable.Range(0, Layers)];
        _types = ReadLayerTypes(["conv", "full_attention"], i => full.Contains(i) ? "full_attention" : "conv");
        _width = config.GetInt32("conv_L_cache", 1, 16, 3);
        _bias = config.GetBoolean("conv_bias", false);
        Inner = AdjustedInner(config, config.FindInt32("block_ff_dim", 1, 1 << 22) ?? Inner);
        Rotary = [ReadRotary(defaultTheta: 1_000_000)];
        CacheLayers = _types.Count(t => t == "full_attention");
        States = [.. Enumerable.Repeat((_width - 1) * Hidden, Layers - CacheLayers.Value)];
        Projected = 3 * Hidden;
    }

    protected override Norm FinalNorm(WeightLoader weights) => weights.RmsNorm("embedding_norm", Hidden, Epsilon);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var w = weights.Scope("feed_forward.");
        return
        [
            new(weights.RmsNorm("operator_norm", Hidden, Epsilon), _types[i] == "conv" ? Convolution(weights.Scope("conv."), i) : Attend(weights, i)),
            new(weights.RmsNorm("ffn_norm", Hidden, Epsilon), new GatedMlp([w.Linear("w1", Inner, Hidden), w.Linear("w3", Inner, Hidden)], [w.Linear("w2", Hidden, Inner)], ActivationKind.Silu)),
        ];
    }

    private Attention Attend(WeightLoader weights, int i) =>
        SelfAttention(weights, Ordinal(_types, i), norm: weights.Scope("self_attn.").QkNorm(Attention, Epsilon, query: "q_layernorm", key: "k_layernorm"), output: "out_proj");

    private ShortConvolution Convolution(WeightLoader weights, int i) => new(
        Ordinal(_types, i),
        [weights.Linear("in_proj", 3 * Hidden, Hidden, _bias)],
        weights.Vector("conv.weight", [Hidden, 1, _width]),
        _bias ? weights.Vector("conv.bias", Hidden) : null,
        [weights.Linear("out_proj", Hidden, Hidden, _bias)]);

    /// <summary>The inner width is two thirds of what is written, times a factor, rounded up.</summary>
    private static int AdjustedInner(HfConfig config, int inner)
    {
        var multiple = config.GetInt32("block_multiple_of", 1, 1 << 20, 256);
        var factor = config.FindDouble("block_ffn_dim_multiplier", 1e-3, 1e3) ?? 1;
        if (!config.GetBoolean("block_auto_adjust_ff_dim", true))
        {
            return inner;
        }

        var adjusted = Math.Ceiling(Math.Floor(factor * (2L * inner / 3)) / multiple) * multiple;
        return adjusted is >= 1 and <= 1 << 22 ? (int)adjusted : throw config.Invalid("block_ffn_dim_multiplier", $"makes an inner width of {adjusted}; 1 to {1 << 22} are allowed");
    }
}
