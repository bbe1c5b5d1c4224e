using System.Globalization;
using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Templates;

namespace KvPrefetch.AI;

/// <summary>How a chat template wants system text, turns, calls and results, asked by rendering small conversations rather than by reading it.</summary>
/// <param name="System">System text at the start comes out.</param>
/// <param name="LateSystem">System text between turns comes out.</param>
/// <param name="ConsecutiveUsers">Two user turns in a row come out, both.</param>
/// <param name="Tools">Declarations come out.</param>
/// <param name="NeedsTools">Nothing comes out without a list of tools, be it empty.</param>
/// <param name="Calls">A call and its result come out.</param>
/// <param name="ParallelCalls">Two calls of one turn come out, both.</param>
/// <param name="ArgumentsAsText">Calls come out right only with their arguments as JSON text.</param>
/// <param name="NullContent">Calls come out only in a turn whose content is null.</param>
/// <param name="NamedIds">Calls are written by their ids, which must be <c>functions.name:0</c> and so on.</param>
/// <param name="Results">A turn of the role tool comes out, calls or not.</param>
/// <param name="CallSample">How the template writes a call: from the user's turn on, or "".</param>
internal sealed record TemplateProbe(
    bool System, bool LateSystem, bool ConsecutiveUsers, bool Tools, bool NeedsTools, bool Calls, bool ParallelCalls, bool ArgumentsAsText, bool NullContent, bool NamedIds, bool Results, string CallSample)
{
    public const string Name = "probe_of_tool_calls";
    private const string Asked = "probe-alpha";
    private const string Value = "probe-beta";
    private const string Result = "probe-gamma";

    /// <summary>A format of text and nothing else.</summary>
    public static TemplateProbe TextOnly { get; } = new(true, true, true, false, false, false, false, false, false, false, false, "");

    public static TemplateProbe Of(ChatTemplate template)
    {
        var user = Message("user", Asked);
        var needsTools = Render(template, null, user) is null && Render(template, [], user) is not null;
        bool Both(params JsonObject[] messages) =>
            Render(template, needsTools ? [] : null, messages) is { } text && text.Contains(Asked, StringComparison.Ordinal) && text.Contains(Value, StringComparison.Ordinal);

        var probe = TextOnly with
        {
            System = Both(Message("system", Value), user),
            LateSystem = Both(user, Message("system", Value), Message("user", "?")),
            ConsecutiveUsers = Both(user, Message("user", Value)),
            Tools = template.Capabilities.Tools,
            NeedsTools = needsTools,
            Results = Both(Message("user", "?"), Message("assistant", Value), Message("tool", Asked)),
        };
        foreach (var (asText, nullContent, namedIds) in new[] { (false, false, false), (true, false, false), (false, true, false), (true, true, false), (false, false, true) })
        {
            if (Render(template, Declarations(), user, Turn(asText, nullContent, namedIds, Value), ToolResult(1, namedIds)) is { } text && Shows(text))
            {
                return probe with
                {
                    Calls = true,
                    ParallelCalls = Render(template, Declarations(), user, Turn(asText, nullContent, namedIds, "?", Value), ToolResult(1, namedIds), ToolResult(2, namedIds)) is { } both && Shows(both),
                    ArgumentsAsText = asText,
                    NullContent = nullContent,
                    NamedIds = namedIds,
                    CallSample = text[Math.Max(0, text.LastIndexOf(Asked, StringComparison.Ordinal))..],
                };
            }
        }

        return probe;
    }

    /// <summary>What <see cref="NamedIds"/> means.</summary>
    /// <param name="function">Name of the function.</param>
    /// <param name="index">Of the call in the conversation, from 0.</param>
    public static string NamedId(string function, int index) => string.Create(CultureInfo.InvariantCulture, $"functions.{function}:{index}");

    // Text that was written as JSON once more shows its quotes escaped.
    private static bool Shows(string text) => text.Contains(Name, StringComparison.Ordinal) && text.Contains(Value, StringComparison.Ordinal)
        && text.Contains(Result, StringComparison.Ordinal) && !text.Contains("\\\"city\\\"", StringComparison.Ordinal);

    private static JsonObject Turn(bool asText, bool nullContent, bool namedIds, params string[] values)
    {
        var calls = new JsonArray();
        for (var i = 0; i < values.Length; i++)
        {
            var arguments = new JsonObject { ["city"] = values[i] };
            calls.Add((JsonNode)new JsonObject
            {
                ["id"] = Id(i + 1, namedIds),
                ["type"] = "function",
                ["function"] = new JsonObject { ["name"] = Name, ["arguments"] = asText ? arguments.ToJsonString() : arguments },
            });
        }

        var turn = Message("assistant", nullContent ? null : "");
        turn["tool_calls"] = calls;
        return turn;
    }

    private static string Id(int call, bool named) => named ? NamedId(Name, call - 1) : "call0000" + (char)('0' + call);

    private static JsonObject ToolResult(int call, bool namedIds)
    {
        var turn = Message("tool", Result);
        (turn["name"], turn["tool_call_id"]) = (Name, Id(call, namedIds));
        return turn;
    }

    private static JsonArray Declarations() => new(new JsonObject
    {
        ["type"] = "function",
        ["function"] = new JsonObject
        {
            ["name"] = Name,
            ["description"] = "?",
            ["parameters"] = new JsonObject
            {
                ["type"] = "object",
                ["properties"] = new JsonObject { ["city"] = new JsonObject { ["type"] = "string", ["description"] = "?" } },
                ["required"] = new JsonArray("city"),
            },
        },
    });

    private static JsonObject Message(string role, string? content) => ConversationShape.Message(role, content);

    private static string? Render(ChatTemplate template, JsonArray? tools, params JsonObject[] messages)
    {
        try
        {
            return string.Concat(template.Render(new JsonArray([.. messages.Select(message => message.DeepClone())]), new ChatTemplateOptions { Tools = tools }).Select(span => span.Text));
        }
        catch (ChatTemplateException)
        {
            return null;
        }
    }
}
