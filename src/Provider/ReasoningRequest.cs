using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace KvPrefetch.AI;

/// <summary>What ChatOptions says of reasoning.</summary>
/// <param name="Variables">Switches for the template; null leaves it its defaults.</param>
/// <param name="Off">No reasoning is wanted: where the prompt opens it, it is closed again.</param>
/// <param name="Shown">Reasoning is part of the response.</param>
/// <param name="MaxTokens">Tokens of reasoning after which it is closed; null for no limit.</param>
internal sealed record ReasoningRequest(JsonObject? Variables, bool Off, bool Shown, int? MaxTokens)
{
    /// <param name="options">The caller's; null asks for nothing.</param>
    /// <param name="maxTokens">A limit of the caller's own, which wins over that of the effort.</param>
    public static ReasoningRequest Of(ChatOptions? options, int? maxTokens)
    {
        if (options?.Reasoning is not { } asked)
        {
            return new ReasoningRequest(null, Off: false, Shown: true, maxTokens);
        }

        var off = asked.Effort == ReasoningEffort.None;
        var variables = asked.Effort is null ? null : new JsonObject
        {
            // Every template knows one or two of them, under the name its makers gave it.
            ["enable_thinking"] = !off,
            ["thinking"] = !off,
            ["reasoning_effort"] = asked.Effort switch
            {
                ReasoningEffort.None or ReasoningEffort.Low => "low",
                ReasoningEffort.Medium => "medium",
                _ => "high",
            },
        };
        int? budget = maxTokens ?? asked.Effort switch
        {
            ReasoningEffort.Low => 1_024,
            ReasoningEffort.Medium => 4_096,
            ReasoningEffort.High => 16_384,
            _ => null,
        };
        if (budget is { } tokens && variables is not null)
        {
            variables["thinking_budget"] = tokens;
        }

        return new ReasoningRequest(variables, off, asked.Output != ReasoningOutput.None, budget);
    }
}
