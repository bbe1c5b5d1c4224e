using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type gemma3_text: Gemma 2 without soft caps, with norms on q and k, five windowed layers to a full one, and positions of their own for each kind.</summary>
internal sealed class Gemma3Text : DecoderFamily
{
    private readonly float _logitCap;
    private readonly bool _bias;

    /// <summary>Published multimodal folders leave these out.</summary>
    private const string Defaults = """
        { "vocab_size": 262208, "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
          "max_position_embeddings": 131072, "rms_norm_eps": 1e-6 }
        """;

    public Gemma3Text(HfConfig config) : base(config.WithDefaults(Defaults), tied: true, scale: _ => 1f / MathF.Sqrt((float)config.GetDouble("query_pre_attn_scalar", 1e-3, 1e6, 256)))
    {
        GemmaFields.Check(config);
        var pattern = config.FindInt32("_sliding_window_pattern", 1, 1024) ?? config.GetInt32("sliding_window_pattern", 1, 1024, 6);
        Windows = ReadWindows(config.FindInt32("sliding_window", 1, int.MaxValue) ?? 4096, i => (i + 1) % pattern != 0);
        _bias = config.GetBoolean("attention_bias", false);
        _logitCap = (float)(config.FindDouble("final_logit_softcapping", 1e-3, 1e6) ?? 0);
        Attention = Attention with { SoftCap = (float)(config.FindDouble("attn_logit_softcapping", 1e-3, 1e6) ?? 0) };
        Rotary = Positions(Config, Attention.HeadDim);
    }

    /// <summary>Positions of full layers and of those with a window, as newer files have them and as older ones.</summary>
    public static IReadOnlyList<RotaryFrequencies> Positions(HfConfig config, int headDim)
    {
        var newer = config.Section("rope_parameters") is not null;
        RopeParameters full = RopeParameters.Read(config, 1e6, 1, newer ? "full_attention" : null);
        RopeParameters local = newer
            ? RopeParameters.Read(config, 10_000, 1, "sliding_attention")
            : new() { Kind = RopeKind.Default, Theta = config.GetDouble("rope_local_base_freq", 1, 1e15, 10_000) };
        return [RotaryPositions.Frequencies(full, headDim), RotaryPositions.Frequencies(local, headDim)];
    }

    protected override float EmbeddingScale => MathF.Sqrt(Hidden);
    protected override float LogitSoftCap => _logitCap;

    protected override Norm FinalNorm(WeightLoader weights) => weights.RmsNorm("norm", Hidden, Epsilon, offset: 1);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(
            weights.RmsNorm("input_layernorm", Hidden, Epsilon, offset: 1),
            SelfAttention(weights, i, _bias, _bias, rotary: Windows[i] > 0 ? 1 : 0, window: Windows[i], norm: weights.Scope("self_attn.").QkNorm(Attention, Epsilon, offset: 1)),
            weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon, offset: 1)),
        new(
            weights.RmsNorm("pre_feedforward_layernorm", Hidden, Epsilon, offset: 1),
            weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.GeluTanh),
            weights.RmsNorm("post_feedforward_layernorm", Hidden, Epsilon, offset: 1)),
    ];
}
