using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type llama: RMSNorm, rotary positions, grouped-query attention, gated SiLU MLP, no surprises.</summary>
internal sealed record Llama(
    int Hidden, int Intermediate, int Layers, AttentionShape Attention, int Vocabulary, int MaxPositions,
    float NormEpsilon, RotaryFrequencies Rotary, bool AttentionBias, bool MlpBias, bool TiedHead) : IModelFamily
{
    public ModelShape Shape => new(Layers, Attention.KvHeads, Attention.HeadDim, Vocabulary, MaxPositions);

    public static Llama Read(HfConfig config)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        var hidden = config.GetInt32("hidden_size", 1, 1 << 20);
        var heads = config.GetInt32("num_attention_heads", 1, 4096);
        var kvHeads = config.GetInt32("num_key_value_heads", 1, 4096, heads);
        if (heads % kvHeads != 0)
        {
            throw config.Invalid("num_attention_heads", $"must be a multiple of num_key_value_heads ({kvHeads})");
        }

        if (!config.Has("head_dim") && hidden % heads != 0)
        {
            throw config.Invalid("hidden_size", $"must be a multiple of num_attention_heads ({heads}) where head_dim is not given");
        }

        var headDim = config.GetInt32("head_dim", 2, 1024, hidden / heads);
        if (headDim % 2 != 0)
        {
            throw config.Invalid("head_dim", $"must be even, as rotary positions turn pairs; here it is {headDim}");
        }

        var maxPositions = config.GetInt32("max_position_embeddings", 1, int.MaxValue);
        return new Llama(
            hidden,
            config.GetInt32("intermediate_size", 1, 1 << 22),
            config.GetInt32("num_hidden_layers", 1, 1024),
            new AttentionShape(heads, kvHeads, headDim, 1f / MathF.Sqrt(headDim)),
            config.GetInt32("vocab_size", 1, 1 << 24),
            maxPositions,
            (float)config.GetDouble("rms_norm_eps", 1e-12, 1),
            RotaryPositions.Frequencies(RopeParameters.Read(config), headDim),
            config.GetBoolean("attention_bias", false),
            config.GetBoolean("mlp_bias", false),
            config.GetBoolean("tie_word_embeddings", false));
    }

    public IModel Build(WeightLoader weights, int maxTokens, int maxSamples)
    {
        weights.IgnoreSuffix(".rotary_emb.inv_freq");    // written by old transformers; computed from the config
        if (TiedHead)
        {
            weights.IgnoreSuffix("lm_head.weight");
        }

        var embedding = weights.Matrix("model.embed_tokens.weight", Vocabulary, Hidden);
        var layers = new Layer[Layers];
        for (var i = 0; i < Layers; i++)
        {
            var name = $"model.layers.{i}.";
            layers[i] = new Layer(
                weights.Vector(name + "input_layernorm.weight", Hidden),
                new Attention(
                    i,
                    Attention,
                    [
                        weights.Linear(name + "self_attn.q_proj", Attention.QueryColumns, Hidden, AttentionBias),
                        weights.Linear(name + "self_attn.k_proj", Attention.KeyColumns, Hidden, AttentionBias),
                        weights.Linear(name + "self_attn.v_proj", Attention.KeyColumns, Hidden, AttentionBias),
                    ],
                    [weights.Linear(name + "self_attn.o_proj", Hidden, Attention.QueryColumns, AttentionBias)]),
                weights.Vector(name + "post_attention_layernorm.weight", Hidden),
                new GatedMlp(
                    [
                        weights.Linear(name + "mlp.gate_proj", Intermediate, Hidden, MlpBias),
                        weights.Linear(name + "mlp.up_proj", Intermediate, Hidden, MlpBias),
                    ],
                    [weights.Linear(name + "mlp.down_proj", Hidden, Intermediate, MlpBias)],
                    Activation.Silu));
        }

        var norm = weights.Vector("model.norm.weight", Hidden);
        var head = TiedHead ? embedding : weights.Matrix("lm_head.weight", Vocabulary, Hidden);
        weights.Complete();
        var scratch = new TransformerScratch(weights.Backend, maxTokens, maxSamples, Hidden, Intermediate, 2 * Rotary.Inverse.Length, Vocabulary, Attention);
        return new Model(this, weights.Backend, embedding, layers, norm, [new Projection(head, Bias: null)], scratch);
    }

    private sealed record Layer(DeviceBuffer AttentionNorm, Attention Attention, DeviceBuffer MlpNorm, GatedMlp Mlp);

    private sealed class Model(Llama config, IBackend backend, Weight embedding, Layer[] layers, DeviceBuffer norm, Projection[] head, TransformerScratch s) : IModel
    {
        public ModelShape Shape { get; } = config.Shape;

        public Rows Forward(in StepInputs step)
        {
            var rows = step.TokenCount;
            backend.Embed(step, embedding, s.Hidden);
            backend.RotaryTable(step, config.Rotary, s.Rotary);
            backend.RmsNorm(s.Hidden, layers[0].AttentionNorm, config.NormEpsilon, s.Normed, rows);
            for (var i = 0; i < layers.Length; i++)
            {
                layers[i].Attention.Forward(backend, step, s.Normed, s.Rotary, s.Qkv, s.Mixed, s.Delta);
                backend.AddRmsNorm(s.Hidden, s.Delta, layers[i].MlpNorm, config.NormEpsilon, s.Normed, rows);
                layers[i].Mlp.Forward(backend, rows, s.Normed, s.GateUp, s.Inner, s.Delta);
                var next = i + 1 < layers.Length ? layers[i + 1].AttentionNorm : norm;
                backend.AddRmsNorm(s.Hidden, s.Delta, next, config.NormEpsilon, s.Normed, rows);
            }

            backend.GatherRows(s.Normed, step.SampleRows, s.Sampled, step.SampleCount);
            backend.Linear(s.Sampled, head, s.Logits, step.SampleCount);
            return s.Logits;
        }

        public void Dispose() => s.Dispose();
    }
}
