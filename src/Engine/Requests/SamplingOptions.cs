namespace KvPrefetch.Engine.Requests;

/// <summary>How the next token is chosen from the logits of one request. Defaults change nothing: plain sampling at temperature 1.</summary>
public sealed record SamplingOptions
{
    /// <summary>0 is greedy; range 0 to 100.</summary>
    public float Temperature { get; init; } = 1f;

    /// <summary>Keep the k likeliest tokens; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keep the smallest set of likeliest tokens whose probability reaches this; range 0 (exclusive) to 1.</summary>
    public float TopP { get; init; } = 1f;

    /// <summary>Keep tokens at least this share as likely as the likeliest; range 0 to 1.</summary>
    public float MinP { get; init; }

    /// <summary>Subtracted once per earlier occurrence among the generated tokens; range -2 to 2.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Subtracted once if the token was generated before; range -2 to 2.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Divides positive and multiplies negative logits of tokens seen in prompt or output; above 0, 1 changes nothing.</summary>
    public float RepetitionPenalty { get; init; } = 1f;

    /// <summary>Added to the logits of these tokens; -infinity forbids a token. At most 1,024 entries.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Same seed, options and prompt give the same output, alone or in any batch.</summary>
    public ulong Seed { get; init; }
}
