using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;

namespace KvPrefetch.Engine.Models;

/// <summary>What decoder-only families have in common: the fields of config.json that nearly all write alike, and the walk from embedding to head. A family adds its own fields and its layer.</summary>
internal abstract class DecoderFamily : IModelFamily
{
    private string[] _types = [];

    /// <param name="config">config.json.</param>
    /// <param name="epsilon">Name of the field with the norms' epsilon.</param>
    /// <param name="headDim">True where the family knows head_dim; else it is hidden_size / heads.</param>
    /// <param name="tied">What a missing tie_word_embeddings means.</param>
    /// <param name="scale">Factor on attention scores; null is 1 / sqrt(head_dim).</param>
    /// <param name="fields">Names of the fields with the sizes, where they are not everybody's.</param>
    protected DecoderFamily(HfConfig config, string epsilon = "rms_norm_eps", bool headDim = true, bool tied = false, Func<int, float>? scale = null, SizeFields? fields = null)
    {
        Config = config;
        fields ??= new SizeFields();
        Quantisation = Quantisation.Read(config);
        Hidden = config.GetInt32(fields.Hidden, 1, 1 << 20);
        Inner = fields.InnerPerLayer && config.FindInt32OrArray(fields.Inner, 1, 1 << 22, 1024) is { Length: > 0 } each ? each.Max() : config.FindInt32(fields.Inner, 1, 1 << 22) ?? (fields.InnerPerHidden > 0 ? fields.InnerPerHidden * Hidden : config.GetInt32(fields.Inner, 1, 1 << 22));
        Layers = fields.LayerCount ?? config.GetInt32(fields.Layers, 1, 1024);
        Vocabulary = config.GetInt32("vocab_size", 1, 1 << 24);
        MaxPositions = config.GetInt32(fields.Positions, 1, int.MaxValue);
        Epsilon = (float)config.GetDouble(epsilon, 1e-12, 1);
        TiedHead = config.TiesHead(tied);
        var heads = config.GetInt32(fields.Heads, 1, 4096);
        var kvHeads = fields.KvHeads is null ? heads : config.GetInt32(fields.KvHeads, 1, 4096, heads);
        if (heads % kvHeads != 0)
        {
            throw config.Invalid(fields.Heads, $"must be a multiple of num_key_value_heads ({kvHeads})");
        }

        var given = headDim ? config.FindInt32(fields.HeadDim, 2, 1024) : null;
        if (given is null && Hidden % heads != 0)
        {
            throw config.Invalid(fields.Hidden, $"must be a multiple of {fields.Heads} ({heads}) where head_dim is not given");
        }

        var size = given ?? (Hidden / heads);
        if (size % 2 != 0)
        {
            throw config.Invalid(given is null ? "head_dim" : fields.HeadDim, $"must be even, as rotary positions turn pairs; here it is {size}");
        }

        Attention = new AttentionShape(heads, kvHeads, size, scale?.Invoke(size) ?? (1f / MathF.Sqrt(size)));
    }

    public virtual ModelShape Shape => new(Cache, Vocabulary, MaxPositions) { States = States, LayerKinds = [.. Enumerable.Range(0, Layers).Select(Kind)] };

    protected HfConfig Config { get; }
    protected Quantisation? Quantisation { get; }
    protected int Hidden { get; }
    protected int Inner { get; init; }
    protected int Layers { get; }
    protected int Vocabulary { get; }
    protected int MaxPositions { get; }
    protected float Epsilon { get; }
    protected bool TiedHead { get; }

    /// <summary>All layers' shape, windows apart.</summary>
    protected AttentionShape Attention { get; init; }

    /// <summary>Positions that layers refer to by index; one unless the family says more.</summary>
    protected IReadOnlyList<RotaryFrequencies> Rotary { get; init; } = [];

    /// <summary>Names of the parts that stand between layers.</summary>
    protected virtual BodyNames Names { get; } = new();

    /// <summary>Rows of the experts' scratch; null where a family has none.</summary>
    protected virtual ExpertWidths? ExpertWidths => null;

    /// <summary>Layers with a key-value cache, where not all have one.</summary>
    protected int? CacheLayers { get; init; }

    /// <summary>What each layer with a key-value cache keeps.</summary>
    protected virtual IReadOnlyList<KvLayer> Cache => [.. Enumerable.Range(0, CacheLayers ?? Layers).Select(i =>
        new KvLayer(Attention.KvHeads, Attention.HeadDim, CacheLayers is null && Windows.Length > 0 ? Windows[i] : 0) { ValueDim = Attention.ValuesInKeys > 0 ? 0 : Attention.HeadDim })];

    /// <summary>What a layer is, in the config's words.</summary>
    protected virtual string Kind(int layer) => _types.Length == Layers ? _types[layer] : Windows.Length > 0 && Windows[layer] > 0 ? "sliding_attention" : "full_attention";

    /// <summary>Window of each layer, 0 for full attention; empty in a model without windows.</summary>
    protected int[] Windows { get; init; } = [];

    /// <summary>Elements of each state of recurrent layers.</summary>
    protected IReadOnlyList<int> States { get; init; } = [];

    /// <summary>See <see cref="TransformerWidths.Projected"/>.</summary>
    protected int Projected { get; init; }

    /// <summary>See <see cref="TransformerWidths.Scanned"/>.</summary>
    protected int Scanned { get; init; }

    /// <summary>Inner width of the widest unit that stands for itself.</summary>
    protected virtual int WidestInner => Inner;

    /// <summary>At least as wide as every layer's.</summary>
    protected virtual AttentionShape WidestAttention => Attention;

    /// <summary>See <see cref="TransformerWidths.PerLayer"/>.</summary>
    protected virtual int PerLayerColumns => 0;

    /// <summary>Residual streams, where there are several.</summary>
    protected virtual int Streams => 0;

    protected virtual float EmbeddingScale => 1f;
    protected virtual float LogitScale => 1f;
    protected virtual float LogitSoftCap => 0f;

    public IModel Build(WeightLoader weights, int maxTokens, int maxSamples)
    {
        weights.Quantisation = Quantisation;
        weights.IgnoreSuffix(".rotary_emb.inv_freq");    // written by old transformers; computed from the config
        if (TiedHead)
        {
            weights.IgnoreSuffix(Names.Head + ".weight");
        }

        var body = weights.Contains(Names.Prefix + Names.Table + ".weight") || !Names.PrefixMayLack ? weights.Scope(Names.Prefix) : weights;
        LeaveAlone(body);
        Array.ForEach(Names.Beside, weights.IgnorePrefix);
        var table = body.Matrix(Names.Table + ".weight", Vocabulary, Hidden);
        var positions = Names.Positions is null ? null : body.Matrix(Names.Positions + ".weight", MaxPositions, Hidden);
        var embedding = new Embedding(table, EmbeddingScale, positions) { PerLayer = PerLayer(body) };
        Block[] blocks = [.. Before(body), .. Enumerable.Range(0, Layers).SelectMany(i => Layer(body.Scope($"{Names.Layers}.{i}."), i)), .. After(body)];
        var head = new Head(FinalNorm(body), [TiedHead ? weights.TiedHead(table) : OutputHead(weights)], LogitScale, LogitSoftCap);
        weights.Complete();
        var widths = new TransformerWidths(Hidden, WidestInner, WidestAttention, Rotary.Count == 0 ? [0] : [.. Rotary.Select(r => 2 * r.Inverse.Length)], Vocabulary)
        {
            Experts = ExpertWidths,
            Projected = Projected,
            Scanned = Scanned,
            PerLayer = PerLayerColumns,
            Streams = Streams * Hidden,
        };
        var scratch = new TransformerScratch(weights.Backend, maxTokens, maxSamples, widths);
        return new DecoderModel(new Decoder(weights.Backend, embedding, Rotary, blocks, head, scratch), weights.Copies);
    }

    /// <summary>Says which tensors beside the layers' the model does without.</summary>
    /// <param name="body">Names are relative to <see cref="BodyNames.Prefix"/>.</param>
    protected virtual void LeaveAlone(WeightLoader body)
    {
    }

    /// <summary>Embeddings that each layer has of its own.</summary>
    protected virtual PerLayerEmbedding? PerLayer(WeightLoader body) => null;

    /// <summary>Blocks before the first layer.</summary>
    protected virtual IEnumerable<Block> Before(WeightLoader body) => [];

    /// <summary>Blocks behind the last layer.</summary>
    protected virtual IEnumerable<Block> After(WeightLoader body) => [];

    /// <summary>The blocks of layer <paramref name="i"/>; names are relative to the layer.</summary>
    protected abstract IEnumerable<Block> Layer(WeightLoader weights, int i);

    protected virtual Norm FinalNorm(WeightLoader weights) => weights.RmsNorm(Names.Norm, Hidden, Epsilon);

    protected virtual Projection OutputHead(WeightLoader weights) => weights.Linear(Names.Head, Vocabulary, Hidden);

    /// <summary>self_attn with q_proj, k_proj, v_proj and o_proj.</summary>
    protected Attention SelfAttention(WeightLoader weights, int layer, bool bias = false, bool outputBias = false, int rotary = 0, int window = 0, RotaryPairs pairs = RotaryPairs.Halves, IQkNorm? norm = null, string output = "o_proj", string scope = "self_attn.")
    {
        var w = weights.Scope(scope);
        var shape = Attention with { Window = window };
        Projection[] qkv = [w.Linear("q_proj", shape.QueryColumns, Hidden, bias), w.Linear("k_proj", shape.KeyColumns, Hidden, bias), w.Linear("v_proj", shape.KeyColumns, Hidden, bias)];
        return new Attention(layer, shape, rotary, pairs, qkv, [w.Linear(output, Hidden, shape.QueryColumns, outputBias)]) { Norm = norm };
    }

    /// <summary>The one kind of positions of most families.</summary>
    /// <param name="defaultPartial">Share of a head that turns where the config is silent; null: the family's heads turn whole, whatever it says.</param>
    /// <param name="layerType">See <see cref="RopeParameters.Read"/>.</param>
    /// <param name="defaultTheta">See <see cref="RopeParameters.Read"/>.</param>
    /// <param name="alsoKnown">See <see cref="RopeParameters.Read"/>.</param>
    protected RotaryFrequencies ReadRotary(double? defaultPartial = null, string? layerType = null, double defaultTheta = 10_000, params ReadOnlySpan<string> alsoKnown)
    {
        var rope = RopeParameters.Read(Config, defaultTheta, defaultPartial ?? 1, layerType, alsoKnown);
        return defaultPartial is null && rope.PartialRotaryFactor != 1
            ? throw Config.Unsupported("partial_rotary_factor", FormattableString.Invariant($"{rope.PartialRotaryFactor}"), "1")
            : Frequencies(rope, Attention.HeadDim);
    }

    /// <summary>Refuses a config without positions where the family's own default is a scaled kind.</summary>
    protected void RequireRope()
    {
        if (!Config.Has("rope_parameters") && !Config.Has("rope_scaling"))
        {
            throw Config.Invalid("rope_parameters", "must be given");
        }
    }

    /// <summary>The field <c>sliding_window</c>: null is no window, a missing field is <paramref name="absent"/>.</summary>
    protected int? WindowOr(int absent) => Config.Mentions("sliding_window") ? Config.FindInt32("sliding_window", 1, int.MaxValue) : absent;

    /// <summary>The window of families that have a switch for it.</summary>
    protected int? SwitchedWindow() => Config.GetBoolean("use_sliding_window", false) ? WindowOr(4096) : null;

    /// <summary>The same window in every layer, or none: a config that says otherwise is refused.</summary>
    protected int[] UniformWindows(int? window)
    {
        var windows = ReadWindows(window, _ => window is not null);
        return Array.TrueForAll(windows, w => w == (window ?? 0)) ? windows : throw Config.Unsupported("layer_types", "a mixture", window is null ? "full_attention in all layers" : "sliding_attention in all layers");
    }

    /// <summary>The positions of heads of a size.</summary>
    protected RotaryFrequencies Frequencies(RopeParameters rope, int headDim)
    {
        var rotaryDim = rope.Kind == RopeKind.Proportional ? headDim : (int)(headDim * rope.PartialRotaryFactor);
        return rotaryDim is > 0 && rotaryDim % 2 == 0
            ? RotaryPositions.Frequencies(rope, rotaryDim)
            : throw Config.Invalid("rope_parameters", $"turns {rotaryDim} elements of a head; it must be an even number above 0");
    }

    /// <summary>Window of each layer, 0 for full attention, from <c>layer_types</c> where it is given.</summary>
    /// <param name="window">The window of layers that have one; null: no layer may ask for one.</param>
    /// <param name="byDefault">Says of a layer whether it has a window, where layer_types is missing.</param>
    protected int[] ReadWindows(int? window, Func<int, bool> byDefault)
    {
        var types = Config.FindStringArray("layer_types") ?? [.. Enumerable.Range(0, Layers).Select(i => byDefault(i) ? "sliding_attention" : "full_attention")];
        if (types.Length != Layers)
        {
            throw Config.Invalid("layer_types", $"must have an entry for each of the {Layers} layers");
        }

        return [.. types.Select(type => type switch
        {
            "full_attention" => 0,
            "sliding_attention" => window ?? throw Config.Invalid("sliding_window", "must be given where a layer has a window"),
            _ => throw Config.Unsupported("layer_types", $"'{type}'", "full_attention, sliding_attention"),
        })];
    }

    /// <summary><c>layer_types</c>, an entry a layer, each one of <paramref name="supported"/>.</summary>
    /// <param name="supported">Values that the family knows.</param>
    /// <param name="byDefault">What a layer is where the field is missing.</param>
    /// <param name="field">Name of the field.</param>
    protected string[] ReadLayerTypes(string[] supported, Func<int, string> byDefault, string field = "layer_types")
    {
        var types = Config.FindStringArray(field) ?? [.. Enumerable.Range(0, Layers).Select(byDefault)];
        _types = field == "layer_types" ? types : _types;
        return types.Length != Layers ? throw Config.Invalid(field, $"must have an entry for each of the {Layers} layers")
            : Array.Find(types, t => !supported.Contains(t, StringComparer.Ordinal)) is { } other ? throw Config.Unsupported(field, Excerpt.Of(other), string.Join(", ", supported))
            : types;
    }

    /// <summary>Which of the layers of its own type layer <paramref name="i"/> is, from 0: its index in the KV cache or among the states.</summary>
    protected static int Ordinal(string[] types, int i) => types.Take(i).Count(t => t == types[i]);
}

/// <summary>A decoder as a model.</summary>
internal sealed class DecoderModel(Decoder decoder, IReadOnlyList<DeviceBuffer> copies) : IModel
{
    public Rows Forward(in StepInputs step) => decoder.Forward(step);

    public void Dispose()
    {
        decoder.Dispose();
        foreach (var copy in copies)
        {
            copy.Dispose();
        }
    }
}
