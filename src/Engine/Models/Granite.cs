using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type granite: Llama's layer with a factor on embeddings, on attention scores, on what blocks add, and under the logits.</summary>
internal sealed class Granite : DecoderFamily
{
    private readonly bool _attentionBias;
    private readonly bool _mlpBias;
    private readonly float _residual;

    public Granite(HfConfig config) : base(config, headDim: false, scale: _ => (float)config.GetDouble("attention_multiplier", 1e-6, 1e6, 1))
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        _attentionBias = config.GetBoolean("attention_bias", false);
        _mlpBias = config.GetBoolean("mlp_bias", false);
        _residual = (float)config.GetDouble("residual_multiplier", 1e-6, 1e6, 1);
        EmbeddingScale = (float)config.GetDouble("embedding_multiplier", 1e-6, 1e6, 1);
        LogitScale = 1f / (float)config.GetDouble("logits_scaling", 1e-6, 1e6, 1);
        Rotary = [ReadRotary()];
    }

    protected override float EmbeddingScale { get; }
    protected override float LogitScale { get; }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, _attentionBias, _attentionBias), Scale: _residual),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.Silu, _mlpBias), Scale: _residual),
    ];
}
