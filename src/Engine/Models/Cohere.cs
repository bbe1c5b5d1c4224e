using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type cohere and cohere2: attention and gated unit side by side behind one layer norm without bias, neighbours turn, logits scaled, tied head;
/// cohere2 has windows in three layers of four and positions in those alone.</summary>
internal sealed class Cohere : DecoderFamily
{
    private readonly bool _bias;
    private readonly bool _positionsEverywhere;
    private readonly bool _norms;

    public Cohere(HfConfig config) : base(config, "layer_norm_eps", headDim: config.ModelType == "cohere2", tied: true)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        _bias = config.GetBoolean("attention_bias", false);
        _positionsEverywhere = config.ModelType == "cohere";
        _norms = _positionsEverywhere && config.GetBoolean("use_qk_norm", false);
        var window = config.ModelType == "cohere2" ? WindowOr(4096) : null;
        var pattern = config.GetInt32("sliding_window_pattern", 1, 1024, 4);
        Windows = ReadWindows(window, i => !_positionsEverywhere && (i + 1) % pattern != 0);
        LogitScale = (float)config.GetDouble("logit_scale", 1e-6, 1e6, 0.0625);
        Rotary = [ReadRotary(defaultTheta: config.ModelType == "cohere" ? 500_000 : 10_000)];
    }

    protected override float LogitScale { get; }

    protected override Norm FinalNorm(WeightLoader weights) => weights.LayerNorm("norm", Hidden, Epsilon, bias: false);

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        var a = weights.Scope("self_attn.");
        var norms = _norms ? new HeadLayerNorms(a.HeadLayerNorms("q_norm", Attention.Heads, Attention.HeadDim, Epsilon), a.HeadLayerNorms("k_norm", Attention.KvHeads, Attention.HeadDim, Epsilon)) : null;
        var attention = SelfAttention(weights, i, _bias, _bias, _positionsEverywhere || Windows[i] > 0 ? 0 : -1, Windows[i], RotaryPairs.Neighbours, norms);
        return [new(weights.LayerNorm("input_layernorm", Hidden, Epsilon, bias: false), new ParallelMixer(attention, weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.Silu)))];
    }
}
