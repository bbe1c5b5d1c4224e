using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type smollm3: Llama's layer; every fourth has no positions.</summary>
internal sealed class SmolLm3 : DecoderFamily
{
    private readonly bool _attentionBias;
    private readonly bool _mlpBias;
    private readonly bool[] _hasPositions;

    public SmolLm3(HfConfig config) : base(config, headDim: false, tied: true)
    {
        _ = config.GetChoice("hidden_act", ["silu"]);
        _attentionBias = config.GetBoolean("attention_bias", false);
        _mlpBias = config.GetBoolean("mlp_bias", false);
        var interval = config.GetInt32("no_rope_layer_interval", 1, 1024, 4);
        _hasPositions = config.FindInt32Array("no_rope_layers", 0, 1) is { } flags
            ? [.. flags.Select(f => f == 1)]
            : [.. Enumerable.Range(0, Layers).Select(i => (i + 1) % interval != 0)];
        if (_hasPositions.Length != Layers)
        {
            throw config.Invalid("no_rope_layers", $"must have an entry for each of the {Layers} layers");
        }

        var window = config.GetBoolean("use_sliding_window", false) ? config.FindInt32("sliding_window", 1, int.MaxValue) : null;
        Windows = ReadWindows(window, i => window is not null && _hasPositions[i]);
        Rotary = [ReadRotary(defaultTheta: 2_000_000)];
    }

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i) =>
    [
        new(weights.RmsNorm("input_layernorm", Hidden, Epsilon), SelfAttention(weights, i, _attentionBias, _attentionBias, _hasPositions[i] ? 0 : -1, Windows[i])),
        new(weights.RmsNorm("post_attention_layernorm", Hidden, Epsilon), weights.Scope("mlp.").GatedMlp(Hidden, Inner, ActivationKind.Silu, _mlpBias)),
    ];
}
