using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type gpt_neox (Pythia, GPT-NeoX): layer norms, q, k and v of a head one after the other in a tensor, attention and plain unit side by side behind norms of their own.</summary>
internal sealed class GptNeoX : DecoderFamily
{
    private static readonly string[] Functions = ["gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh"];

    private readonly bool _bias;
    private readonly bool _parallel;
    private readonly Activation _activation;

    public GptNeoX(HfConfig config) : base(config, "layer_norm_eps", headDim: false, fields: new SizeFields { KvHeads = null })
    {
        _activation = config.GetChoice("hidden_act", Functions, "gelu") == "gelu" ? ActivationKind.Gelu : ActivationKind.GeluTanh;
        _bias = config.GetBoolean("attention_bias", true);
        _parallel = config.GetBoolean("use_parallel_residual", true);
        Rotary = [ReadRotary(config.GetDouble("rotary_pct", 1e-6, 1, 0.25), defaultTheta: config.GetDouble("rotary_emb_base", 1, 1e15, 10_000))];
    }

    protected override BodyNames Names { get; } = new() { Prefix = "gpt_neox.", Table = "embed_in", Norm = "final_layer_norm", Head = "embed_out" };

    protected override Norm FinalNorm(WeightLoader weights) => weights.LayerNorm(Names.Norm, Hidden, Epsilon);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        // Old checkpoints store masks.
        weights.IgnorePrefix("attention.bias");
        weights.IgnorePrefix("attention.masked_bias");
        WeightLoader a = weights.Scope("attention."), m = weights.Scope("mlp.");
        var attention = new Attention(
            i,
            Attention,
            0,
            RotaryPairs.Halves,
            a.InterleavedLinear("query_key_value", Attention.Heads, parts: 3, Attention.HeadDim, Hidden, _bias),
            [a.Linear("dense", Hidden, Hidden, _bias)]);
        var mlp = new Mlp([m.Linear("dense_h_to_4h", Inner, Hidden, bias: true)], [m.Linear("dense_4h_to_h", Hidden, Inner, bias: true)], _activation);
        Norm first = weights.LayerNorm("input_layernorm", Hidden, Epsilon), second = weights.LayerNorm("post_attention_layernorm", Hidden, Epsilon);
        return _parallel ? [new(first, new ParallelMixer(attention, mlp, second))] : [new(first, attention), new(second, mlp)];
    }
}
