namespace KvPrefetch.Engine.Requests;

/// <summary>What can be refused of a request before it runs, beyond its sampling options.</summary>
internal static class RequestLimits
{
    private const int MaxStopTokens = 256;
    private const int MaxStopStrings = 16;
    private const int MaxStopCharacters = 256;

    /// <summary>Throws <see cref="InvalidRequestException"/> for an empty prompt or an id that the vocabulary does not have.</summary>
    public static void ValidatePrompt(ReadOnlySpan<int> prompt, int vocabularySize)
    {
        if (prompt.IsEmpty)
        {
            throw Refused("Prompt", $"The prompt has no tokens; at least one is needed.");
        }

        for (var i = 0; i < prompt.Length; i++)
        {
            if ((uint)prompt[i] >= (uint)vocabularySize)
            {
                throw Refused("Prompt", $"Prompt token {i} is {prompt[i]}; the range is 0 to {vocabularySize - 1}.");
            }
        }
    }

    /// <summary>The length, prompt and output together, at which a request ends. Without a number of output tokens it is the context.</summary>
    /// <exception cref="InvalidRequestException">The number of output tokens is below one.</exception>
    /// <exception cref="ContextLengthExceededException">Prompt and output do not fit together; one output token at least must.</exception>
    public static int MaxTokens(int promptTokens, int? maxOutputTokens, int contextLength)
    {
        if (maxOutputTokens < 1)
        {
            throw Refused("MaxOutputTokens", $"MaxOutputTokens is {maxOutputTokens}; at least 1 is needed.");
        }

        var wanted = promptTokens + (long)(maxOutputTokens ?? 1);
        if (wanted > contextLength)
        {
            throw new ContextLengthExceededException(promptTokens, maxOutputTokens ?? 1, contextLength);
        }

        return maxOutputTokens is null ? contextLength : (int)wanted;
    }

    /// <summary>Throws <see cref="InvalidRequestException"/> for ids that the vocabulary does not have, or more than 256.</summary>
    public static void ValidateStopTokens(IReadOnlyList<int> stopTokens, int vocabularySize)
    {
        if (stopTokens.Count > MaxStopTokens)
        {
            throw Refused("StopTokens", $"There are {stopTokens.Count} stop tokens; at most {MaxStopTokens} are allowed.");
        }

        foreach (var token in stopTokens)
        {
            if ((uint)token >= (uint)vocabularySize)
            {
                throw Refused("StopTokens", $"Stop token {token} does not exist; the range is 0 to {vocabularySize - 1}.");
            }
        }
    }

    /// <summary>Throws <see cref="InvalidRequestException"/> for more than 16 stop strings, an empty one, or one above 256 characters.</summary>
    public static void ValidateStopStrings(IReadOnlyList<string> stopStrings)
    {
        if (stopStrings.Count > MaxStopStrings)
        {
            throw Refused("StopStrings", $"There are {stopStrings.Count} stop strings; at most {MaxStopStrings} are allowed.");
        }

        foreach (var text in stopStrings)
        {
            var length = text?.Length ?? 0;
            if (length is 0 or > MaxStopCharacters)
            {
                throw Refused("StopStrings", $"A stop string has {length} characters; the range is 1 to {MaxStopCharacters}.");
            }
        }
    }

    /// <summary>The error for a parameter; numbers in the message look the same under every culture.</summary>
    public static InvalidRequestException Refused(string parameter, FormattableString message) => new(FormattableString.Invariant(message), parameter);
}
