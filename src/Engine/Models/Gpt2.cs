using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type gpt2: learned positions, layer norms, a plain GELU unit; matrices stored with inputs before outputs; names with and without <c>transformer.</c></summary>
internal sealed class Gpt2 : DecoderFamily
{
    private static readonly SizeFields Fields = new()
    {
        Hidden = "n_embd", Inner = "n_inner", InnerPerHidden = 4, Layers = "n_layer", Heads = "n_head", KvHeads = null, Positions = "n_positions",
    };

    private readonly Activation _activation;
    private readonly bool _divides;

    public Gpt2(HfConfig config) : base(config, "layer_norm_epsilon", headDim: false, tied: true, scale: Scale(config), Fields)
    {
        _activation = config.GetChoice("activation_function", ["gelu_new", "gelu_pytorch_tanh", "gelu"], "gelu_new") == "gelu" ? ActivationKind.Gelu : ActivationKind.GeluTanh;
        _divides = config.GetBoolean("scale_attn_by_inverse_layer_idx", false);
        if (config.GetBoolean("add_cross_attention", false))
        {
            throw config.Unsupported("add_cross_attention", "true", "false");
        }
    }

    protected override BodyNames Names { get; } = new() { Prefix = "transformer.", PrefixMayLack = true, Table = "wte", Positions = "wpe", Layers = "h", Norm = "ln_f" };

    protected override Norm FinalNorm(WeightLoader weights) => weights.LayerNorm(Names.Norm, Hidden, Epsilon);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        // Old checkpoints store masks.
        weights.IgnorePrefix("attn.bias");
        weights.IgnorePrefix("attn.masked_bias");
        WeightLoader a = weights.Scope("attn."), m = weights.Scope("mlp.");
        return
        [
            new(
                weights.LayerNorm("ln_1", Hidden, Epsilon),
                new Attention(i, _divides ? Attention with { Scale = Attention.Scale / (i + 1) } : Attention, -1, RotaryPairs.Halves, [a.TransposedLinear("c_attn", 3 * Hidden, Hidden)], [a.TransposedLinear("c_proj", Hidden, Hidden)])),
            new(
                weights.LayerNorm("ln_2", Hidden, Epsilon),
                new Mlp([m.TransposedLinear("c_fc", Inner, Hidden)], [m.TransposedLinear("c_proj", Hidden, Inner)], _activation)),
        ];
    }

    private static Func<int, float> Scale(HfConfig config) => size => config.GetBoolean("scale_attn_weights", true) ? 1f / MathF.Sqrt(size) : 1f;
}
