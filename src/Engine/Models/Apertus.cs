using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type apertus: norms on every head of q and k, a unit without gate whose function, XIelu, has constants trained with the weights.</summary>
internal sealed class Apertus : DecoderFamily
{
    private readonly bool _attentionBias;
    private readonly bool _mlpBias;

    public Apertus(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["xielu"]);
        if (!config.GetBoolean("qk_norm", true))
        {
            throw config.Unsupported("qk_norm", "false", "true");
        }

        if (config.GetBoolean("post_norm", false))
        {
            throw config.Unsupported("post_norm", "true", "false");
        }

        _attentionBias = config.GetBoolean("attention_bias", false);
        _mlpBias = config.GetBoolean("mlp_bias", false);
        RequireRope();
        Rotary = [ReadRotary(defaultTheta: 12_000_000)];
    }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var w = weights.Scope("mlp.");
        var constants = w.Scope("act_fn.");
        var beta = constants.Scalar("beta", 0.5f, vector: false);
        var xielu = new Activation(
            ActivationKind.XIelu,
            P: SoftPlus(constants.Scalar("alpha_p", float.NaN, vector: true)),
            N: beta + SoftPlus(constants.Scalar("alpha_n", float.NaN, vector: true)),
            Beta: beta,
            Epsilon: constants.Scalar("eps", -1e-6f, vector: false));
        return
        [
            new(
                weights.RmsNorm("attention_layernorm", Hidden, Epsilon),
                SelfAttention(weights, i, _attentionBias, _attentionBias, norm: weights.Scope("self_attn.").QkNorm(Attention, Epsilon))),
            new(
                weights.RmsNorm("feedforward_layernorm", Hidden, Epsilon),
                new Mlp([w.Linear("up_proj", Inner, Hidden, _mlpBias)], [w.Linear("down_proj", Hidden, Inner, _mlpBias)], xielu)),
        ];
    }

    private static float SoftPlus(float x) => (float)Math.Log(1 + Math.Exp(x));
}
