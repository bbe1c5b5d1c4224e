using Microsoft.Extensions.AI;

namespace KvPrefetch.AI;

/// <summary>The engine's own options of one request, for <see cref="ChatOptions.RawRepresentationFactory"/>: what is set here wins over <see cref="ChatOptions"/>,
/// what is null is taken from there, from its AdditionalProperties, and then from the model's generation_config.json.</summary>
public sealed record KvPrefetchChatOptions
{
    /// <summary>0 is greedy; range 0 to 100.</summary>
    public float? Temperature { get; init; }

    /// <summary>Keep the k likeliest tokens; 0 keeps all.</summary>
    public int? TopK { get; init; }

    /// <summary>Keep the smallest set of likeliest tokens whose probability reaches this; range 0 (exclusive) to 1.</summary>
    public float? TopP { get; init; }

    /// <summary>Keep tokens at least this share as likely as the likeliest; range 0 to 1. AdditionalProperties: <c>min_p</c>.</summary>
    public float? MinP { get; init; }

    /// <summary>Subtracted once per earlier occurrence among the generated tokens; range -2 to 2.</summary>
    public float? FrequencyPenalty { get; init; }

    /// <summary>Subtracted once if the token was generated before; range -2 to 2.</summary>
    public float? PresencePenalty { get; init; }

    /// <summary>Divides positive and multiplies negative logits of tokens seen in prompt or output; range 0.01 to 100. AdditionalProperties: <c>repetition_penalty</c>.</summary>
    public float? RepetitionPenalty { get; init; }

    /// <summary>Added to the logits of these tokens: -10,000 to 10,000, or -infinity, which forbids a token. At most 1,024 entries. AdditionalProperties: <c>logit_bias</c>.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Same seed, options and prompt give the same output, alone or in any batch; null draws one.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Gives the log-probability of each generated token and of this many likeliest ones, 0 to 20; null gives none. AdditionalProperties: <c>logprobs</c>, <c>top_logprobs</c>.
    /// The last update, and the message of the response, carry them as AdditionalProperties <c>logprobs</c> in OpenAI's form; every update carries its own as RawRepresentation, a list of
    /// <see cref="KvPrefetch.Engine.Requests.TokenLogprobs"/>.</summary>
    public int? TopLogprobs { get; init; }

    /// <summary>Only requests of the same salt use each other's keys and values: for those who must not learn, by the time an answer takes, what others have asked. AdditionalProperties: <c>cache_salt</c>.</summary>
    public string? CacheSalt { get; init; }

    /// <summary>Tokens to generate at most; null goes on to the end of the context.</summary>
    public int? MaxOutputTokens { get; init; }

    /// <summary>Tokens of reasoning after which it is closed and the answer begins; null takes a limit from the effort that was asked for, or none. AdditionalProperties: <c>thinking_budget</c>.</summary>
    public int? MaxReasoningTokens { get; init; }

    /// <summary>Text that ends the answer and is not part of it; at most 16 of at most 256 characters.</summary>
    public IReadOnlyList<string>? StopSequences { get; init; }

    /// <summary>Tools and formats are shown to the model, and no grammar holds it to them: for measuring what it does by itself.</summary>
    internal bool IsUnenforced { get; init; }
}
