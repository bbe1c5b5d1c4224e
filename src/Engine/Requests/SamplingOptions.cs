namespace KvPrefetch.Engine.Requests;

/// <summary>How the next token is chosen from the logits of one request. Defaults change nothing: plain sampling at temperature 1.
/// Rules apply in this order: logit bias, penalties, temperature, top-k, top-p, min-p.</summary>
public sealed record SamplingOptions
{
    private const float MaxTemperature = 100;
    private const float MaxPenalty = 2;
    private const float MinRepetition = 0.01f;
    private const float MaxRepetition = 100;
    private const int MaxBiases = 1024;
    private const float MaxBias = 10_000;

    /// <summary>Likeliest tokens that a request may ask for.</summary>
    internal const int MaxLogprobs = 20;

    /// <summary>0 is greedy (the lowest id where several tokens are likeliest); range 0 to 100.</summary>
    public float Temperature { get; init; } = 1f;

    /// <summary>Keep the k likeliest tokens, and those that equal the k-th; 0 keeps all, as does anything from the vocabulary's size up.</summary>
    public int TopK { get; init; }

    /// <summary>Keep the smallest set of likeliest tokens whose probability reaches this; range 0 (exclusive) to 1.</summary>
    public float TopP { get; init; } = 1f;

    /// <summary>Keep tokens at least this share as likely as the likeliest; range 0 to 1.</summary>
    public float MinP { get; init; }

    /// <summary>Subtracted once per earlier occurrence among the generated tokens; range -2 to 2.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Subtracted once if the token was generated before; range -2 to 2.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Divides positive and multiplies negative logits of tokens seen in prompt or output; range 0.01 to 100, 1 changes nothing.</summary>
    public float RepetitionPenalty { get; init; } = 1f;

    /// <summary>Added to the logits of these tokens: -10,000 to 10,000, or -infinity, which forbids a token. At most 1,024 entries.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Same seed, options and prompt give the same output, alone or in any batch. Every value is a seed.</summary>
    public ulong Seed { get; init; }

    /// <summary>Gives the log-probability of each generated token and of this many likeliest ones, 0 to 20; null gives none and costs nothing.</summary>
    public int? Logprobs { get; init; }

    /// <summary>Throws <see cref="InvalidRequestException"/>, which names the option and its range, if a value is out of range or not a number.</summary>
    /// <param name="vocabularySize">Tokens of the model: the ids that a logit bias may name.</param>
    internal void Validate(int vocabularySize)
    {
        Require(Temperature is >= 0 and <= MaxTemperature, Temperature, "0 to 100", nameof(Temperature));
        Require(TopK >= 0, TopK, "0 to 2147483647", nameof(TopK));
        Require(TopP is > 0 and <= 1, TopP, "0 (exclusive) to 1", nameof(TopP));
        Require(MinP is >= 0 and <= 1, MinP, "0 to 1", nameof(MinP));
        Require(FrequencyPenalty is >= -MaxPenalty and <= MaxPenalty, FrequencyPenalty, "-2 to 2", nameof(FrequencyPenalty));
        Require(PresencePenalty is >= -MaxPenalty and <= MaxPenalty, PresencePenalty, "-2 to 2", nameof(PresencePenalty));
        Require(RepetitionPenalty is >= MinRepetition and <= MaxRepetition, RepetitionPenalty, "0.01 to 100", nameof(RepetitionPenalty));
        Require(Logprobs is null or >= 0 and <= MaxLogprobs, Logprobs ?? 0, "0 to 20", nameof(Logprobs));
        if (LogitBias is not null)
        {
            ValidateLogitBias(LogitBias, vocabularySize);
        }
    }

    private static void ValidateLogitBias(IReadOnlyDictionary<int, float> biases, int vocabularySize)
    {
        if (biases.Count > MaxBiases)
        {
            throw RequestLimits.Refused(nameof(LogitBias), $"LogitBias has {biases.Count} entries; at most {MaxBiases} are allowed.");
        }

        foreach (var (token, bias) in biases)
        {
            if (token < 0 || token >= vocabularySize)
            {
                throw RequestLimits.Refused(nameof(LogitBias), $"LogitBias names token {token}; the range is 0 to {vocabularySize - 1}.");
            }

            if (!(bias is >= -MaxBias and <= MaxBias || float.IsNegativeInfinity(bias)))
            {
                throw RequestLimits.Refused(nameof(LogitBias), $"LogitBias gives token {token} {bias}; the range is -10000 to 10000, or -infinity.");
            }
        }
    }

    private static void Require(bool isValid, float value, string range, string name)
    {
        if (!isValid)
        {
            throw RequestLimits.Refused(name, $"{name} is {value}; the range is {range}.");
        }
    }
}
