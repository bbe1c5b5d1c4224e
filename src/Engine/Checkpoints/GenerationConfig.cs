namespace KvPrefetch.Engine.Checkpoints;

/// <summary>generation_config.json: which tokens end an answer and how the makers sample. Null where the file is silent. The engine decides what silence means:
/// for transformers a missing <see cref="DoSample"/> is greedy.</summary>
internal sealed record GenerationConfig
{
    public const string FileName = "generation_config.json";
    private const int MaxBytes = 1 << 20;
    private const int MaxStopTokens = 1_024;

    /// <summary>Settings that change the output and are not supported, with the value that leaves it alone (a number, or null for anything but absence).</summary>
    private static readonly (string Field, double? Neutral)[] Ignored =
    [
        ("num_beams", 1), ("num_beam_groups", 1), ("num_return_sequences", 1), ("typical_p", 1), ("epsilon_cutoff", 0), ("eta_cutoff", 0), ("diversity_penalty", 0), ("penalty_alpha", null),
        ("encoder_repetition_penalty", 1), ("length_penalty", 1), ("no_repeat_ngram_size", 0), ("encoder_no_repeat_ngram_size", 0), ("min_length", 0), ("min_new_tokens", 0), ("top_h", null),
        ("bad_words_ids", null), ("force_words_ids", null), ("constraints", null), ("suppress_tokens", null), ("begin_suppress_tokens", null), ("forced_bos_token_id", null), ("forced_eos_token_id", null),
        ("sequence_bias", null), ("exponential_decay_length_penalty", null), ("guidance_scale", 1), ("watermarking_config", null), ("dola_layers", null), ("stop_strings", null),
    ];

    /// <summary>Tokens that end an answer, each once; empty where the file names none.</summary>
    public IReadOnlyList<int> EosTokens { get; init; } = [];
    public bool? DoSample { get; init; }

    /// <summary>0 to 100.</summary>
    public double? Temperature { get; init; }

    /// <summary>0 keeps all tokens.</summary>
    public int? TopK { get; init; }

    /// <summary>0 to 1; 0 keeps the likeliest token alone.</summary>
    public double? TopP { get; init; }

    /// <summary>0 to 1.</summary>
    public double? MinP { get; init; }

    /// <summary>Above 0, at most 100.</summary>
    public double? RepetitionPenalty { get; init; }

    /// <summary>Reads the folder's file; without one everything is silent. Throws <see cref="ModelFormatException"/> that names the field.</summary>
    /// <param name="folder">The model folder.</param>
    /// <param name="vocabularySize">Token ids must be below it.</param>
    /// <param name="log">Receives a line for settings that are not supported.</param>
    public static GenerationConfig Load(ModelFolder folder, int vocabularySize, Action<string>? log = null) =>
        folder.ReadBytes(FileName, MaxBytes) is { } bytes ? Read(HfConfig.Parse(bytes, FileName), vocabularySize, log) : new GenerationConfig();

    /// <summary>Reads the same fields from any section; config.json of older models holds them too.</summary>
    public static GenerationConfig Read(ConfigSection config, int vocabularySize, Action<string>? log = null)
    {
        List<string> ignored = [.. Ignored.Where(i => IsSet(config, i.Field, i.Neutral)).Select(i => i.Field)];
        if (ignored.Count > 0)
        {
            log?.Invoke($"{config.File}: not supported and ignored: {string.Join(", ", ignored)}.");
        }

        return new GenerationConfig
        {
            EosTokens = ReadEosTokens(config, vocabularySize),
            DoSample = config.FindBoolean("do_sample"),
            Temperature = config.FindDouble("temperature", 0, 100),
            TopK = config.FindInt32("top_k", 0, int.MaxValue),
            TopP = config.FindDouble("top_p", 0, 1),
            MinP = config.FindDouble("min_p", 0, 1),
            RepetitionPenalty = config.FindDouble("repetition_penalty", 1e-3, 100),
        };
    }

    /// <summary>The field <c>eos_token_id</c>: an id, several, or none.</summary>
    public static IReadOnlyList<int> ReadEosTokens(ConfigSection config, int vocabularySize) =>
        [.. (config.FindInt32OrArray("eos_token_id", 0, vocabularySize - 1, MaxStopTokens) ?? []).Distinct()];

    private static bool IsSet(ConfigSection config, string field, double? neutral) => config.Has(field) && (neutral is null ? !config.IsEmpty(field) : !config.IsNumber(field, neutral.Value));
}
