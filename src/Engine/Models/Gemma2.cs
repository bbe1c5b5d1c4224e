using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type gemma2: Gemma with norms on both sides of every block, a window in every other layer, soft caps on scores and logits.</summary>
internal sealed class Gemma2 : DecoderFamily
{
    private readonly float _logitCap;
    private readonly bool _bias;

    public Gemma2(HfConfig config) : base(config, tied: true, scale: _ => 1f / MathF.Sqrt((float)config.GetDouble("query_pre_attn_scalar", 1e-3, 1e6, 256)))
    {
        GemmaFields.Check(config);
        Windows = ReadWindows(config.FindInt32("sliding_window", 1, int.MaxValue) ?? 4096, i => i % 2 == 0);
        _bias = config.GetBoolean("attention_bias", false);
        _logitCap = GemmaFields.Cap(config, "final_logit_softcapping", absent: 30);
        Attention = Attention with { SoftCap = GemmaFields.Cap(config, "attn_logit_softcapping", absent: 50) };
        Rotary = [ReadRotary()];
    }

    protected override float EmbeddingScale => MathF.Sqrt(Hidden);
    protected override float LogitSoftCap => _logitCap;

    protected override Norm FinalNorm(WeightLoader weights) => weights.RmsNorm("norm", Hidden, Epsilon, offset: 1);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(
            weights.RmsNorm("input_layernorm", Hidden, Epsilon, offset: 1),
            SelfAttention(weights, i, _bias, _bias, window: Windows[i]),
            weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon, offset: 1)),
        new(
            weights.RmsNorm("pre_feedforward_layernorm", Hidden, Epsilon, offset: 1),
            weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.GeluTanh),
            weights.RmsNorm("post_feedforward_layernorm", Hidden, Epsilon, offset: 1)),
    ];
}
