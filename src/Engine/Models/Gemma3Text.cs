using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type gemma3_text: Gemma 2 without soft caps, with norms on q and k, five windowed layers to a full one, and positions of their own for each kind.</summary>
internal sealed class Gemma3Text : DecoderFamily
{
    private readonly int[] _windows;
    private readonly float _logitCap;

    public Gemma3Text(HfConfig config) : base(config, tied: true, scale: _ => 1f / MathF.Sqrt((float)config.GetDouble("query_pre_attn_scalar", 1e-3, 1e6, 256)))
    {
        GemmaFields.Check(config);
        var pattern = config.FindInt32("_sliding_window_pattern", 1, 1024) ?? config.GetInt32("sliding_window_pattern", 1, 1024, 6);
        _windows = ReadWindows(config.FindInt32("sliding_window", 1, int.MaxValue) ?? 4096, i => (i + 1) % pattern != 0);
        _logitCap = (float)(config.FindDouble("final_logit_softcapping", 1e-3, 1e6) ?? 0);
        Attention = Attention with { SoftCap = (float)(config.FindDouble("attn_logit_softcapping", 1e-3, 1e6) ?? 0) };
        Rotary = config.Section("rope_parameters") is not null
            ? [ReadRotary(layerType: "full_attention"), ReadRotary(layerType: "sliding_attention")]
            : [ReadRotary(), RotaryPositions.Frequencies(new RopeParameters { Kind = RopeKind.Default, Theta = config.GetDouble("rope_local_base_freq", 1, 1e15, 10_000) }, Attention.HeadDim)];
    }

    protected override float EmbeddingScale => MathF.Sqrt(Hidden);
    protected override float LogitSoftCap => _logitCap;

    protected override Norm FinalNorm(WeightLoader weights) => weights.RmsNorm("norm", Hidden, Epsilon, offset: 1);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(
            weights.RmsNorm("input_layernorm", Hidden, Epsilon, offset: 1),
            SelfAttention(weights, i, rotary: _windows[i] > 0 ? 1 : 0, window: _windows[i], norm: weights.Scope("self_attn.").QkNorm(Attention, Epsilon, offset: 1)),
            weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon, offset: 1)),
        new(
            weights.RmsNorm("pre_feedforward_layernorm", Hidden, Epsilon, offset: 1),
            weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.GeluTanh),
            weights.RmsNorm("post_feedforward_layernorm", Hidden, Epsilon, offset: 1)),
    ];
}
