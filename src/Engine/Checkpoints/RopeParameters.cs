using System.Text.Json;
namespace KvPrefetch.Engine.Checkpoints;

/// <summary>How the frequencies of rotary position embedding are made.</summary>
internal enum RopeKind
{
    /// <summary>theta^(-2i/d).</summary>
    Default,
    /// <summary>All frequencies divided by the factor.</summary>
    Linear,
    /// <summary>theta grows once the sequence is longer than the model was trained for.</summary>
    Dynamic,
    /// <summary>Long wavelengths divided by the factor, short ones kept, a ramp between.</summary>
    Llama3,
    /// <summary>As Llama3 with a ramp over dimensions, and attention scaled.</summary>
    Yarn,
    /// <summary>Each frequency divided by a factor of its own; other factors in sequences longer than the model was trained for.</summary>
    LongRope,
    /// <summary>Frequencies as for a head that turns whole, of which only the first ones turn.</summary>
    Proportional,
}

/// <summary>Rotary position embedding as a config describes it, with transformers' defaults filled in and every number checked.</summary>
internal sealed record RopeParameters
{
    private const double Tiny = 1e-6;
    private const double Huge = 1e6;

    private static readonly string[] Kinds = ["default", "linear", "dynamic", "llama3", "yarn", "longrope", "su", "proportional"];

    /// <summary>Keys that some kind uses. One that the kind at hand does not use changes nothing, in the reference either.</summary>
    private static readonly HashSet<string> Known = new(StringComparer.Ordinal)
    {
        "rope_type", "type", "rope_theta", "partial_rotary_factor", "factor", "original_max_position_embeddings", "low_freq_factor", "high_freq_factor",
        "beta_fast", "beta_slow", "attention_factor", "mscale", "mscale_all_dim", "truncate", "finetuned", "short_factor", "long_factor",
    };

    public required RopeKind Kind { get; init; }

    /// <summary>Base of the frequencies; at least 1.</summary>
    public required double Theta { get; init; }

    /// <summary>Share of a head's dimensions that is rotated; above 0, at most 1.</summary>
    public double PartialRotaryFactor { get; init; } = 1;

    /// <summary>How much longer than trained; at least 1. Unused by Default.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Positions that the model was trained for. Used by Dynamic, Llama3, Yarn and LongRope; 0 otherwise.</summary>
    public int OriginalMaxPositions { get; init; }

    /// <summary>Llama3 only; below <see cref="HighFrequencyFactor"/>.</summary>
    public double LowFrequencyFactor { get; init; }

    /// <summary>Llama3 only.</summary>
    public double HighFrequencyFactor { get; init; }

    /// <summary>Yarn only.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>Yarn only; not above <see cref="BetaFast"/>.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>LongRope only: a divisor for each frequency, in sequences up to <see cref="OriginalMaxPositions"/>.</summary>
    public IReadOnlyList<double> ShortFactors { get; init; } = [];

    /// <summary>LongRope only: the same for longer sequences.</summary>
    public IReadOnlyList<double> LongFactors { get; init; } = [];

    /// <summary>Cosines and sines are multiplied by it: 1 except for Yarn, where it is resolved from attention_factor, mscale, mscale_all_dim and factor, and LongRope.</summary>
    public double AttentionFactor { get; init; } = 1;

    /// <summary>Yarn only; null where the config is silent. Some families scale attention by it once more.</summary>
    public double? MScale { get; init; }

    /// <summary>Yarn only; null where the config is silent.</summary>
    public double? MScaleAllDim { get; init; }

    /// <summary>Factor on the scores of DeepSeek's attention.</summary>
    public double LatentScale => MScaleAllDim is { } all ? Math.Pow(AttentionScale(Factor, all), 2) : 1;

    /// <summary>Yarn only: the ramp's ends are rounded to whole dimensions.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>Reads <c>rope_parameters</c>, or <c>rope_theta</c> and <c>rope_scaling</c> of older files. Throws <see cref="ModelFormatException"/>,
    /// or <see cref="UnsupportedModelException"/> for a kind or a key that is not known.</summary>
    /// <param name="config">The section that also holds max_position_embeddings.</param>
    /// <param name="defaultTheta">The family's own default; NaN: the field must be there.</param>
    /// <param name="defaultPartialRotaryFactor">The family's own default.</param>
    /// <param name="layerType">Where parameters differ by layer type (<c>full_attention</c>, <c>sliding_attention</c>): the one to read.</param>
    /// <param name="alsoKnown">Further keys that the family itself reads.</param>
    public static RopeParameters Read(ConfigSection config, double defaultTheta = 10_000, double defaultPartialRotaryFactor = 1, string? layerType = null, params ReadOnlySpan<string> alsoKnown)
    {
        var section = Choose(config, layerType);
        if (section is not null)
        {
            foreach (var field in section.Fields)
            {
                if (!Known.Contains(field) && !alsoKnown.Contains(field))
                {
                    throw new UnsupportedModelException($"{section.File}: the rope parameter {Excerpt.Of(section.FullName(field))} is not known; known: {string.Join(", ", Known)}.", section.FullName(field));
                }
            }
        }

        var theta = section?.FindDouble("rope_theta", 1, 1e15) ?? (double.IsNaN(defaultTheta) ? config.GetDouble("rope_theta", 1, 1e15) : config.GetDouble("rope_theta", 1, 1e15, defaultTheta));
        var partial = section?.FindDouble("partial_rotary_factor", Tiny, 1) ?? config.GetDouble("partial_rotary_factor", Tiny, 1, defaultPartialRotaryFactor);
        var plain = new RopeParameters { Kind = RopeKind.Default, Theta = theta, PartialRotaryFactor = partial };
        if (section is null)
        {
            return plain;
        }

        var kindField = section.Has("rope_type") ? "rope_type" : "type";
        var kind = section.GetChoice(kindField, Kinds, "default");
        if (kind is "default")
        {
            return plain;
        }

        if (kind is "longrope" or "su")
        {
            return ReadLongRope(config, section, plain);
        }

        if (kind is "proportional")
        {
            return plain with { Kind = RopeKind.Proportional, Factor = section.GetDouble("factor", 1, Huge, 1) };
        }

        var scaled = plain with { Factor = section.GetDouble("factor", 1, Huge) };
        return kind switch
        {
            "linear" => scaled with { Kind = RopeKind.Linear },
            "dynamic" => scaled with { Kind = RopeKind.Dynamic, OriginalMaxPositions = config.GetInt32("max_position_embeddings", 1, int.MaxValue) },
            "llama3" => ReadLlama3(config, section, scaled),
            _ => ReadYarn(config, section, scaled),
        };
    }

    /// <summary>True where a token's key depends on how long its sequence is: then the same beginning has other keys in another prompt.</summary>
    public static bool DependOnLength(ConfigSection config)
    {
        return Says(config.Element, "rope_parameters") || Says(config.Element, "rope_scaling");

        static bool Says(JsonElement element, string field) => element.ValueKind == JsonValueKind.Object && element.TryGetProperty(field, out var rope) && rope.ValueKind == JsonValueKind.Object
            && rope.EnumerateObject().Any(member => (member.Name is "rope_type" or "type" && member.Value.ValueKind == JsonValueKind.String && member.Value.GetString() is "dynamic" or "longrope" or "su") || Says(rope, member.Name));
    }

    /// <summary>The object with the parameters, or null where the config has none.</summary>
    private static ConfigSection? Choose(ConfigSection config, string? layerType)
    {
        var (current, former) = (config.Section("rope_parameters"), config.Section("rope_scaling"));
        if (current is not null && former is not null && !current.SameAs(former))
        {
            throw config.Invalid("rope_scaling", "contradicts rope_parameters");
        }

        var section = current ?? former;
        if (section?.Fields.Any(section.IsSection) != true)
        {
            return section;
        }

        return layerType is null
            ? throw config.Unsupported(current is null ? "rope_scaling" : "rope_parameters", "given for each layer type", "one object for all layers")
            : section.GetSection(layerType);
    }

    private static RopeParameters ReadLlama3(ConfigSection config, ConfigSection section, RopeParameters scaled)
    {
        var low = section.GetDouble("low_freq_factor", Tiny, Huge);
        var high = section.GetDouble("high_freq_factor", Tiny, Huge);
        return high > low
            ? scaled with { Kind = RopeKind.Llama3, OriginalMaxPositions = Original(config, section), LowFrequencyFactor = low, HighFrequencyFactor = high }
            : throw section.Invalid("high_freq_factor", "must be above low_freq_factor");
    }

    private static RopeParameters ReadYarn(ConfigSection config, ConfigSection section, RopeParameters scaled)
    {
        if (scaled.Theta <= 1)
        {
            throw (section.Has("rope_theta") ? section : config).Invalid("rope_theta", "must be above 1 for yarn");
        }

        var mscale = section.FindDouble("mscale", 0, Huge);
        var mscaleAllDim = section.FindDouble("mscale_all_dim", 0, Huge);
        var yarn = scaled with
        {
            Kind = RopeKind.Yarn,
            OriginalMaxPositions = Original(config, section),
            BetaFast = section.GetDouble("beta_fast", Tiny, Huge, 32),
            BetaSlow = section.GetDouble("beta_slow", Tiny, Huge, 1),
            Truncate = section.GetBoolean("truncate", true),
            MScale = mscale,
            MScaleAllDim = mscaleAllDim,
            AttentionFactor = section.FindDouble("attention_factor", Tiny, Huge)
                ?? (mscale > 0 && mscaleAllDim > 0 ? AttentionScale(scaled.Factor, mscale.Value) / AttentionScale(scaled.Factor, mscaleAllDim.Value) : AttentionScale(scaled.Factor, 1)),
        };
        return yarn.BetaFast >= yarn.BetaSlow ? yarn : throw section.Invalid("beta_fast", "must not be below beta_slow");
    }

    private static RopeParameters ReadLongRope(ConfigSection config, ConfigSection section, RopeParameters plain)
    {
        double[] Factors(string field) => section.FindDoubleArray(field, Tiny, Huge) ?? throw section.Invalid(field, "must be given for longrope");

        var original = Original(config, section);
        var factor = section.FindDouble("factor", Tiny, Huge) ?? ((double)config.GetInt32("max_position_embeddings", 1, int.MaxValue) / original);
        return plain with
        {
            Kind = RopeKind.LongRope,
            Factor = factor,
            OriginalMaxPositions = original,
            ShortFactors = Factors("short_factor"),
            LongFactors = Factors("long_factor"),
            AttentionFactor = section.FindDouble("attention_factor", Tiny, Huge) ?? (factor <= 1 || original <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(factor) / Math.Log(original)))),
        };
    }

    /// <summary>The scale that the authors of YaRN found to keep attention as sharp as before.</summary>
    private static double AttentionScale(double factor, double mscale) => factor <= 1 ? 1 : (0.1 * mscale * Math.Log(factor)) + 1;

    /// <summary>As transformers has it: the model's own field wins, then the section's, then the length that the model is made for.</summary>
    private static int Original(ConfigSection config, ConfigSection section)
    {
        const string field = "original_max_position_embeddings";
        return config.FindInt32(field, 1, int.MaxValue) ?? section.FindInt32(field, 1, int.MaxValue) ?? config.GetInt32("max_position_embeddings", 1, int.MaxValue);
    }
}
