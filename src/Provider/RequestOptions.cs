using KvPrefetch.Engine;
using KvPrefetch.Engine.Requests;
using Microsoft.Extensions.AI;

namespace KvPrefetch.AI;

/// <summary>What a request asks for, from ChatOptions: everything is honoured here, or refused by name before anything runs.</summary>
internal static class RequestOptions
{
    public const int MaxStopSequences = 16;
    private const int MaxStopCharacters = 256;

    /// <param name="options">The caller's, never changed; null asks for nothing.</param>
    /// <param name="client">The client that RawRepresentationFactory is given.</param>
    /// <param name="modelId">The name of the client's model.</param>
    public static KvPrefetchChatOptions Resolve(ChatOptions? options, IChatClient client, string modelId)
    {
        if (options is null)
        {
            return new KvPrefetchChatOptions();
        }

        RefuseUnsupported(options);
        if (options.ModelId is { } asked && !string.Equals(asked, modelId, StringComparison.Ordinal))
        {
            throw Refusal.Of(nameof(ChatOptions.ModelId), $"Model {Quoted.Text(asked)} is not loaded here; {Quoted.Text(modelId)} is. Leave ModelId unset, or give that name.");
        }

        var own = options.RawRepresentationFactory?.Invoke(client) as KvPrefetchChatOptions ?? new KvPrefetchChatOptions();
        var more = options.AdditionalProperties;
        var resolved = own with
        {
            Temperature = own.Temperature ?? options.Temperature,
            TopK = own.TopK ?? options.TopK,
            TopP = own.TopP ?? options.TopP,
            MinP = own.MinP ?? AdditionalValues.Number(more, "min_p"),
            FrequencyPenalty = own.FrequencyPenalty ?? options.FrequencyPenalty,
            PresencePenalty = own.PresencePenalty ?? options.PresencePenalty,
            RepetitionPenalty = own.RepetitionPenalty ?? AdditionalValues.Number(more, "repetition_penalty"),
            LogitBias = AdditionalValues.Snapshot(own.LogitBias, "logit_bias") ?? AdditionalValues.LogitBias(more, "logit_bias"),
            Seed = own.Seed ?? (ulong?)options.Seed,
            CacheSalt = own.CacheSalt ?? AdditionalValues.Text(more, "cache_salt"),
            TopLogprobs = own.TopLogprobs ?? TopLogprobs(more),
            MaxOutputTokens = own.MaxOutputTokens ?? options.MaxOutputTokens,
            MaxReasoningTokens = own.MaxReasoningTokens ?? Whole(more, "thinking_budget"),
            StopSequences = own.StopSequences?.ToArray() ?? options.StopSequences?.ToArray(),
        };
        Validate(resolved);
        return resolved;
    }

    /// <summary>The engine's sampling for these options: what they leave open is the model's default, and the seed is drawn.</summary>
    public static SamplingOptions ToSampling(this KvPrefetchChatOptions options, SamplingOptions defaults) => defaults with
    {
        Temperature = options.Temperature ?? defaults.Temperature,
        TopK = options.TopK ?? defaults.TopK,
        TopP = options.TopP ?? defaults.TopP,
        MinP = options.MinP ?? defaults.MinP,
        FrequencyPenalty = options.FrequencyPenalty ?? defaults.FrequencyPenalty,
        PresencePenalty = options.PresencePenalty ?? defaults.PresencePenalty,
        RepetitionPenalty = options.RepetitionPenalty ?? defaults.RepetitionPenalty,
        LogitBias = options.LogitBias ?? defaults.LogitBias,
        Seed = options.Seed ?? (ulong)Random.Shared.NextInt64(),
        Logprobs = options.TopLogprobs,
    };

    private static void RefuseUnsupported(ChatOptions options)
    {
        if (!string.IsNullOrWhiteSpace(options.ConversationId))
        {
            throw Refusal.Of(nameof(ChatOptions.ConversationId), "Conversations are not kept between requests: send the whole history and leave ConversationId unset.");
        }
    }

    /// <summary>What can be checked before a model is loaded; the engine checks again, with its vocabulary and context.</summary>
    private static void Validate(KvPrefetchChatOptions options)
    {
        options.ToSampling(new SamplingOptions()).Validate(int.MaxValue);
        if (options.MaxOutputTokens < 1)
        {
            throw Refusal.Of(nameof(ChatOptions.MaxOutputTokens), (FormattableString)$"MaxOutputTokens is {options.MaxOutputTokens}; at least 1 is needed.");
        }

        if (options.MaxReasoningTokens < 0)
        {
            throw Refusal.Of(nameof(KvPrefetchChatOptions.MaxReasoningTokens), (FormattableString)$"MaxReasoningTokens is {options.MaxReasoningTokens}; at least 0 is needed.");
        }

        ValidateStops(options.StopSequences);
    }

    /// <summary>As OpenAI's two parameters: <c>logprobs</c> asks for those of the generated tokens, <c>top_logprobs</c> for so many likeliest ones beside them.</summary>
    private static int? TopLogprobs(AdditionalPropertiesDictionary? properties)
    {
        const string Top = "top_logprobs";
        var count = AdditionalValues.Asked(properties, Top) ? Whole(properties, Top) : 0;
        return count > SamplingOptions.MaxLogprobs ? throw Refusal.Of(Top, (FormattableString)$"{Top} is {count}; 0 to {SamplingOptions.MaxLogprobs} are allowed.")
            : count > 0 || AdditionalValues.Asked(properties, AnswerLogprobs.Name) ? count : null;
    }

    private static int? Whole(AdditionalPropertiesDictionary? properties, string name) => AdditionalValues.Number(properties, name) switch
    {
        null => null,
        var number and >= 0 and <= int.MaxValue / 2 => (int)number,
        var number => throw Refusal.Of(name, (FormattableString)$"{name} is {number}; 0 to {int.MaxValue / 2} are allowed."),
    };

    private static void ValidateStops(IReadOnlyList<string>? stops)
    {
        const string Name = nameof(ChatOptions.StopSequences);
        if (stops is { Count: > MaxStopSequences })
        {
            throw Refusal.Of(Name, (FormattableString)$"StopSequences has {stops.Count} entries; the limit is {MaxStopSequences}.");
        }

        for (var i = 0; i < stops?.Count; i++)
        {
            if (string.IsNullOrEmpty(stops[i]) || stops[i].Length > MaxStopCharacters)
            {
                throw Refusal.Of(Name, (FormattableString)$"StopSequences[{i}] has {stops[i]?.Length ?? 0} characters; 1 to {MaxStopCharacters} are allowed.");
            }
        }
    }
}
