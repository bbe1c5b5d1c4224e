using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type mamba2: nothing but state spaces, a norm before each; no attention, so no cache that grows.</summary>
internal sealed class Mamba2 : IModelFamily
{
    /// <summary>A state has no last position, and config.json names none: what tables of positions are made for.</summary>
    private const int Positions = 1 << 20;

    private readonly MambaFields _mamba;
    private readonly int _hidden;
    private readonly int _layers;
    private readonly float _epsilon;
    private readonly bool _tied;
    private readonly Quantisation? _quantisation;

    public Mamba2(HfConfig config)
    {
        _quantisation = Quantisation.Read(config);
        _ = config.GetChoice("hidden_act", ["silu"], "silu");
        _hidden = config.GetInt32("hidden_size", 1, 1 << 20);
        _layers = config.GetInt32("num_hidden_layers", 1, 1024);
        _epsilon = (float)config.GetDouble("layer_norm_epsilon", 1e-12, 1, 1e-5);
        _tied = config.GetBoolean("tie_word_embeddings", false);
        _ = config.GetInt32("n_groups", 1, 1 << 16);
        _mamba = MambaFields.Read(config, _hidden, ("num_heads", "head_dim", "n_groups", "state_size", "conv_kernel", "use_conv_bias", "use_bias"));
        if (_mamba.Shape.Columns != config.GetDouble("expand", 1e-3, 1e3, 2) * _hidden)
        {
            throw config.Invalid("expand", $"must be num_heads * head_dim ({_mamba.Shape.Columns}) / hidden_size ({_hidden})");
        }

        Shape = new ModelShape([], config.GetInt32("vocab_size", 1, 1 << 24), Positions) { States = [.. Enumerable.Repeat(_mamba.States, _layers).SelectMany(s => s)], LayerKinds = [.. Enumerable.Repeat("mamba", _layers)] };
    }

    public ModelShape Shape { get; }

    public IModel Build(WeightLoader weights, int maxTokens, int maxSamples)
    {
        weights.Quantisation = _quantisation;
        if (_tied)
        {
            weights.IgnoreSuffix("lm_head.weight");
        }

        var body = weights.Scope("backbone.");
        var table = body.Matrix("embeddings.weight", Shape.Vocabulary, _hidden);
        Block[] blocks = [.. Enumerable.Range(0, _layers).Select(i => Layer(body.Scope($"layers.{i}."), i))];
        var head = new Head(body.RmsNorm("norm_f", _hidden, _epsilon), [_tied ? weights.TiedHead(table) : weights.Linear("lm_head", Shape.Vocabulary, _hidden)]);
        weights.Complete();
        var widths = new TransformerWidths(_hidden, Inner: 0, default, [0], Shape.Vocabulary) { Projected = StateSpace.InputColumns(_mamba.Shape), Scanned = _mamba.Shape.Columns };
        return new DecoderModel(new Decoder(weights.Backend, new Embedding(table), [], blocks, head, new TransformerScratch(weights.Backend, maxTokens, maxSamples, widths)), weights.Copies);
    }

    private Block Layer(WeightLoader weights, int i)
    {
        var w = weights.Scope("mixer.");
        var norm = new GateNorm(w.Vector("norm.weight", _mamba.Shape.Columns), _epsilon, Groups: 1, GateFirst: true);
        return new Block(weights.RmsNorm("norm", _hidden, _epsilon), _mamba.Mixer(w, i, norm));
    }
}
