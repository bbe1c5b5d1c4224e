using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type lfm3: short convolutions in most layers, attention with or without a window in the others, each with positions of its own kind, norms on q and k and a gate for every head;
/// a gated unit behind each; norms before and behind.</summary>
internal sealed class Lfm3 : DecoderFamily
{
    private readonly string[] _types;
    private readonly ConvolutionFields _convolution;
    private readonly bool _bias;
    private readonly bool _gate;
    private readonly bool _sandwich;
    private readonly int _window;

    public Lfm3(HfConfig config) : base(config, "norm_eps", tied: true)
    {
        _ = config.GetChoice("hidden_act", ["silu"], "silu");
        _types = ReadLayerTypes(["conv", "full_attention", "sliding_attention"], _ => throw config.Invalid("layer_types", "must be given"));
        _convolution = ConvolutionFields.Read(config, Hidden);
        _bias = config.GetBoolean("attention_bias", false);
        _gate = config.GetBoolean("use_attention_gate", true);
        _sandwich = config.GetBoolean("use_sandwich_norm", true);
        _window = _types.Contains("sliding_attention", StringComparer.Ordinal) ? config.GetInt32("sliding_window", 1, int.MaxValue) : 0;
        foreach (var section in (string[])["full_attention", .. _window > 0 ? ["sliding_attention"] : (string[])[]])
        {
            var rope = config.Section("rope_parameters")?.Section(section);
            if (rope?.Has("rope_theta") != true || !rope.Has("rope_type"))
            {
                throw config.Invalid("rope_parameters", $"must give rope_theta and rope_type for {section}");
            }
        }

        Rotary = [ReadRotary(1, "full_attention", 1_000_000), .. _window > 0 ? [ReadRotary(1, "sliding_attention", 10_000)] : (RotaryFrequencies[])[]];
        CacheLayers = _types.Count(t => t != "conv");
        States = _convolution.States(Layers - CacheLayers.Value);
        Projected = Math.Max(3 * Hidden, Attention.Heads);
    }

    protected override IReadOnlyList<KvLayer> Cache => [.. _types.Where(t => t != "conv").Select(t => new KvLayer(Attention.KvHeads, Attention.HeadDim, t == "sliding_attention" ? _window : 0))];

    protected override Norm FinalNorm(WeightLoader weights) => weights.RmsNorm("embedding_norm", Hidden, Epsilon);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        Norm? Post(string name) => _sandwich ? weights.RmsNorm(name, Hidden, Epsilon) : null;

        return
        [
            new(weights.RmsNorm("operator_norm", Hidden, Epsilon), _types[i] == "conv" ? _convolution.Mixer(weights.Scope("conv."), Ordinal(_types, i)) : Attend(weights, i), Post("post_operator_norm")),
            new(weights.RmsNorm("ffn_norm", Hidden, Epsilon), ConvolutionFields.Unit(weights.Scope("feed_forward."), Hidden, Inner), Post("post_ffn_norm")),
        ];
    }

    private Attention Attend(WeightLoader weights, int i)
    {
        var windowed = _types[i] == "sliding_attention";
        var w = weights.Scope("self_attn.");
        var layer = _types.Take(i).Count(t => t != "conv");
        return SelfAttention(weights, layer, _bias, _bias, windowed ? 1 : 0, windowed ? _window : 0, norm: w.QkNorm(Attention, Epsilon)) with
        {
            Gate = _gate ? [w.Linear("gate_proj", Attention.Heads, Hidden)] : null,
        };
    }
}
