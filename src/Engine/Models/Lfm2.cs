using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type lfm2: gated short convolutions in most layers, attention with norms on q and k in the others, a gated unit behind each.</summary>
internal class Lfm2 : DecoderFamily
{
    private readonly string[] _types;
    private readonly ConvolutionFields _convolution;

    public Lfm2(HfConfig config) : this(config, adjusted: true)
    {
    }

    /// <param name="config">config.json.</param>
    /// <param name="adjusted">The inner width is derived from what is written.</param>
    protected Lfm2(HfConfig config, bool adjusted) : base(config, "norm_eps", headDim: false, tied: config.GetBoolean("tie_embedding", true))
    {
        if (config.FindBoolean("tie_embedding") is { } tied && tied != TiedHead)
        {
            throw config.Invalid("tie_embedding", "contradicts tie_word_embeddings");
        }

        var full = config.FindInt32Array("full_attn_idxs", 0, Layers - 1) ?? [.. Enumerable.Range(0, Layers)];
        _types = ReadLayerTypes(["conv", "full_attention"], i => full.Contains(i) ? "full_attention" : "conv");
        _convolution = ConvolutionFields.Read(config, Hidden);
        Inner = adjusted ? AdjustedInner(config, config.FindInt32("block_ff_dim", 1, 1 << 22) ?? Inner) : Inner;
        Rotary = [ReadRotary(defaultTheta: 1_000_000)];
        CacheLayers = _types.Count(t => t == "full_attention");
        States = _convolution.States(Layers - CacheLayers.Value);
        Projected = 3 * Hidden;
    }

    protected override Norm FinalNorm(WeightLoader weights) => weights.RmsNorm("embedding_norm", Hidden, Epsilon);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("operator_norm", Hidden, Epsilon), _types[i] == "conv" ? _convolution.Mixer(weights.Scope("conv."), Ordinal(_types, i)) : Attend(weights, i)),
        new(weights.RmsNorm("ffn_norm", Hidden, Epsilon), Unit(weights.Scope("feed_forward."), i)),
    ];

    protected virtual IMixer Unit(WeightLoader w, int i) => ConvolutionFields.Unit(w, Hidden, Inner);

    private Attention Attend(WeightLoader weights, int i) =>
        SelfAttention(weights, Ordinal(_types, i), norm: weights.Scope("self_attn.").QkNorm(Attention, Epsilon, query: "q_layernorm", key: "k_layernorm"), output: "out_proj");

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
