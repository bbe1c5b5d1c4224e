using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type falcon_h1: in every layer a state space and attention side by side, then a gated unit; a trained-with factor at nearly every product.</summary>
internal sealed class FalconH1 : DecoderFamily
{
    private readonly MambaFields _mamba;
    private readonly bool _attentionBias;
    private readonly bool _mlpBias;
    private readonly bool _norm;
    private readonly bool _normFirst;
    private readonly float[] _scales;
    private readonly float _attentionScale;
    private readonly float _mambaScale;
    private readonly float[] _mlpScales;

    public FalconH1(HfConfig config) : base(config)
    {
        _ = config.GetChoice("hidden_act", ["silu"], "silu");
        _mamba = MambaFields.Read(config, Hidden, ("mamba_n_heads", "mamba_d_head", "mamba_n_groups", "mamba_d_state", "mamba_d_conv", "mamba_conv_bias", "mamba_proj_bias"));
        var columns = config.FindInt32("mamba_d_ssm", 1, 1 << 22) ?? (config.Mentions("mamba_d_ssm") ? config.GetInt32("mamba_expand", 1, 64, 2) * Hidden : 1024);
        if (columns != _mamba.Shape.Columns)
        {
            throw config.Invalid("mamba_d_ssm", $"must be mamba_n_heads * mamba_d_head ({_mamba.Shape.Columns})");
        }

        _norm = config.GetBoolean("mamba_rms_norm", false);
        _normFirst = config.GetBoolean("mamba_norm_before_gate", true);
        _attentionBias = config.GetBoolean("attention_bias", false);
        _mlpBias = config.GetBoolean("mlp_bias", false);
        if (config.GetBoolean("projectors_bias", _mamba.Bias) != _mamba.Bias)
        {
            throw config.Unsupported("projectors_bias", "another than mamba_proj_bias", "the same");
        }

        float Factor(string field) => (float)config.GetDouble(field, 1e-6, 1e6, 1);

        // Factors on the input of a product without bias are factors on what comes out.
        float attention = Factor("attention_in_multiplier"), mamba = Factor("ssm_in_multiplier");
        RefuseBias(_attentionBias && attention != 1, "attention_in_multiplier");
        RefuseBias(_mamba.Bias && mamba != 1, "ssm_in_multiplier");
        _scales = [.. Factors("ssm_multipliers", 5).Select(f => f * mamba)];
        _mlpScales = Factors("mlp_multipliers", 2);
        _attentionScale = attention * Factor("attention_out_multiplier");
        _mambaScale = Factor("ssm_out_multiplier");
        Attention = Attention with { Scale = Attention.Scale * attention * attention * Factor("key_multiplier") };
        EmbeddingScale = Factor("embedding_multiplier");
        LogitScale = Factor("lm_head_multiplier");
        Rotary = [ReadRotary(defaultTheta: double.NaN)];
        States = [.. Enumerable.Repeat(_mamba.States, Layers).SelectMany(s => s)];
        Projected = StateSpace.InputColumns(_mamba.Shape);
        Scanned = _mamba.Shape.Columns;
    }

    protected override float EmbeddingScale { get; }
    protected override float LogitScale { get; }

    protected override string Kind(int layer) => "full_attention beside mamba";

    protected override Norm FinalNorm(WeightLoader weights) => weights.RmsNorm("final_layernorm", Hidden, Epsilon);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var w = weights.Scope("mamba.");
        var norm = _norm ? new GateNorm(w.Vector("norm.weight", _mamba.Shape.Columns), Epsilon, _mamba.Shape.Groups, GateFirst: !_normFirst) : null;
        var mamba = _mamba.Mixer(w, i, norm) with { Scales = _scales };
        return
        [
            new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), new WeightedMixers(mamba, _mambaScale, SelfAttention(weights, i, _attentionBias, _attentionBias), _attentionScale)),
            new(
                weights.RmsNorm("pre_ff_layernorm", Hidden, Epsilon),
                weights.Scope("feed_forward.").GatedMlp(Hidden, Inner, ActivationKind.Silu, _mlpBias) with { GateScale = _mlpScales[0] },
                Scale: _mlpScales[1]),
        ];
    }

    private float[] Factors(string field, int count)
    {
        var factors = Config.FindDoubleArray(field, 1e-6, 1e6, count) ?? [.. Enumerable.Repeat(1.0, count)];
        return factors.Length == count ? [.. factors.Select(f => (float)f)] : throw Config.Invalid(field, $"must have {count} entries");
    }

    private void RefuseBias(bool refused, string field)
    {
        if (refused)
        {
            throw Config.Unsupported(field, "not 1 in a product with bias", "1");
        }
    }
}
