using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>model_type gemma3n_text: several residual streams of which layers compute one, a low-rank branch beside attention, gates of which few stay, the last layers without keys and values of their own,
/// an embedding for each layer.</summary>
internal sealed class Gemma3nText : DecoderFamily
{
    private const string Full = "full_attention";

    private readonly GemmaLayers _layers;
    private readonly int[] _inner;
    private readonly double[] _sparsity;
    private readonly int _perLayer;
    private readonly int _perLayerVocabulary;
    private readonly int _rank;
    private readonly int _active;
    private readonly float _clip;
    private readonly bool _scales;

    public Gemma3nText(HfConfig config) : base(config, tied: true, scale: _ => 1f, fields: new SizeFields { InnerPerLayer = true })
    {
        GemmaFields.Check(config);
        var types = ReadLayerTypes([Full, "sliding_attention"], i => (i + 1) % 5 == 0 ? Full : "sliding_attention");
        var window = config.GetInt32("sliding_window", 1, int.MaxValue, 512);
        Windows = [.. types.Select(t => t == Full ? 0 : window)];
        _layers = new GemmaLayers(Hidden, Epsilon, config.GetBoolean("attention_bias", false), GemmaLayers.ReadSources(config, types, absent: 15));
        var inner = config.FindInt32OrArray("intermediate_size", 1, 1 << 22, 1024) ?? [Inner];
        _inner = config.IsArray("intermediate_size") ? PerLayer(inner, "intermediate_size") : [.. Enumerable.Repeat(inner[0], Layers)];
        _sparsity = PerLayer(config.FindDoubleArray("activation_sparsity_pattern", 0, 0.999_999, 1024) ?? [.. types.Select((_, i) => Layers > 10 && i < 10 ? 0.95 : 0)], "activation_sparsity_pattern");
        _perLayer = config.GetInt32("hidden_size_per_layer_input", 1, 1 << 20, 256);
        _perLayerVocabulary = config.GetInt32("vocab_size_per_layer_input", 1, 1 << 24, 262_144);
        _rank = config.GetInt32("laurel_rank", 1, 1 << 20, 64);
        Streams = config.GetInt32("altup_num_inputs", 1, 64, 4);
        _active = config.GetInt32("altup_active_idx", 0, Streams - 1, 0);
        _clip = (float)(config.FindDouble("altup_coef_clip", 0, 1e30) ?? (config.Mentions("altup_coef_clip") ? float.MaxValue : 120));
        _scales = config.GetBoolean("altup_correct_scale", true);
        LogitSoftCap = GemmaFields.Cap(config, "final_logit_softcapping", absent: 30);
        Rotary = Gemma3Text.Positions(config, Attention.HeadDim);
        Projected = Math.Max(Math.Max(_perLayer, _rank), Streams * (Streams + 1));
    }

    protected override IReadOnlyList<KvLayer> Cache => [.. Windows.Where((_, i) => _layers.Sources[i] == i).Select(window => new KvLayer(Attention.KvHeads, Attention.HeadDim, window))];
    protected override int PerLayerColumns => Layers * _perLayer;
    protected override int Streams { get; }
    protected override float EmbeddingScale => MathF.Sqrt(Hidden);
    protected override float LogitSoftCap { get; }

    protected override void LeaveAlone(WeightLoader body) => _layers.LeaveAlone(body);

    protected override PerLayerEmbedding? PerLayer(WeightLoader body) => _layers.Embedding(body, _perLayerVocabulary, _perLayer);

    protected override IEnumerable<Block> Before(WeightLoader body) => [new(Pre: null, new AltUpStart(Others(body, "altup_projections"), _active)) { Kept = 0 }];

    protected override IEnumerable<Block> After(WeightLoader body) => [new(Pre: null, new AltUpEnd(Others(body, "altup_unembed_projections")), Post: null, Scale: 1f / Streams) { Kept = 0 }];

    protected override IEnumerable<Block> Layer(WeightLoader weights, int i)
    {
        WeightLoader up = weights.Scope("altup."), laurel = weights.Scope("laurel.");
        var router = new AltUpRouter(
            new Norm(up.ScaledVector("router_norm.weight", Hidden, 1f / Hidden), Bias: null, Epsilon, Centered: false),
            [up.Linear("modality_router", Streams, Hidden)]);
        Norm Norm(string name) => weights.RmsNorm(name, Hidden, Epsilon);
        var half = 1 / MathF.Sqrt(2);
        var attention = new LaurelMixer(
            _layers.Attention(weights, i, Attention with { Window = Windows[i] }, Windows[i] > 0 ? 1 : 0),
            Norm("post_attention_layernorm"),
            [laurel.Linear("linear_left", _rank, Hidden)],
            [laurel.Linear("linear_right", Hidden, _rank)],
            laurel.RmsNorm("post_laurel_norm", Hidden, Epsilon));
        var mlp = weights.Scope("mlp.").GatedMlp(Hidden, _inner[i], ActivationKind.GeluTanh) with { GateCut = _sparsity[i] > 0 ? (float)NormalQuantile.Of(_sparsity[i]) : null };
        var scale = up.Vector("correct_output_scale", Hidden);
        var correction = new Projection(up.ClampedMatrix("correction_coefs.weight", Streams, Streams, _clip), up.Ones(Streams));
        return
        [
            new(Pre: null, new AltUpPredict(router, [up.Linear("prediction_coefs", Streams * Streams, Streams)], _active)) { Kept = 0 },
            new(Norm("input_layernorm"), attention, Post: null, Scale: half) { Kept = half },
            new(Norm("pre_feedforward_layernorm"), mlp, Norm("post_feedforward_layernorm")),
            new(Pre: null, new AltUpCorrect(router, [correction], _active, _layers.Input(weights, i, _perLayer), Norm("post_per_layer_input_norm")) { Scale = _scales ? scale : null }) { Kept = 0 },
        ];
    }

    private Projection[][] Others(WeightLoader body, string name) => [.. Enumerable.Range(0, Streams - 1).Select(i => (Projection[])[body.Linear($"{name}.{i}", Hidden, Hidden)])];

    private T[] PerLayer<T>(T[] values, string field) => values.Length == Layers ? values : throw Config.Invalid(field, $"must have an entry for each of the {Layers} layers");
}
