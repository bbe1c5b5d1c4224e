using System.Text.Json.Nodes;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>What a template does with messages beyond a user's, found by rendering small conversations and looking for their text in the result.</summary>
/// <param name="SystemRole">A system message at the start comes out.</param>
/// <param name="ConsecutiveUsers">Two user messages in a row come out, both.</param>
/// <param name="Tools">Declared tools come out.</param>
/// <param name="ToolCalls">An assistant's tool call and the tool's result come out, with the arguments as an object.</param>
/// <param name="ToolCallArgumentsAsText">Tool calls come out only with their arguments as JSON text.</param>
/// <param name="ContentParts">Content as a list of parts comes out as their text.</param>
/// <param name="GenerationPrompt">Asking for the assistant's turn changes the result.</param>
/// <param name="ThinkingSwitch">The variable <c>enable_thinking</c> changes the result.</param>
internal sealed record TemplateCapabilities(
    bool SystemRole,
    bool ConsecutiveUsers,
    bool Tools,
    bool ToolCalls,
    bool ToolCallArgumentsAsText,
    bool ContentParts,
    bool GenerationPrompt,
    bool ThinkingSwitch)
{
    private const string First = "probe-alpha";
    private const string Second = "probe-beta";
    private const string Third = "probe-gamma";

    public static TemplateCapabilities Of(ChatTemplate template)
    {
        var user = Message("user", First);
        var plain = Render(template, [user]);
        var toolCalls = Shows(RenderCall(template, new JsonObject { ["city"] = Second }), Second, Third);
        return new TemplateCapabilities(
            SystemRole: Shows(Render(template, [Message("system", Second), user]), First, Second),
            ConsecutiveUsers: Shows(Render(template, [user, Message("user", Second)]), First, Second),
            Tools: Shows(Render(template, [user], Declarations()), First, Second),
            ToolCalls: toolCalls,
            ToolCallArgumentsAsText: !toolCalls && Shows(RenderCall(template, $$"""{"city": "{{Second}}"}"""), Second, Third),
            ContentParts: Render(template, [Message("user", new JsonArray(new JsonObject { ["type"] = "text", ["text"] = First }))]) is { } parts
                && Shows(parts, First) && !parts.Contains($"'text': '{First}'", StringComparison.Ordinal),
            GenerationPrompt: plain is not null && plain != Render(template, [user], addGenerationPrompt: false),
            ThinkingSwitch: Render(template, [user], variables: Thinking(on: true)) != Render(template, [user], variables: Thinking(on: false)));
    }

    private static string? RenderCall(ChatTemplate template, JsonNode arguments)
    {
        var call = new JsonObject
        {
            ["id"] = "call00001",
            ["type"] = "function",
            ["function"] = new JsonObject { ["name"] = "lookup", ["arguments"] = arguments },
        };
        var assistant = Message("assistant", "");
        assistant["tool_calls"] = new JsonArray(call);
        var result = Message("tool", Third);
        result["name"] = "lookup";
        result["tool_call_id"] = "call00001";
        return Render(template, [Message("user", First), assistant, result], Declarations());
    }

    private static JsonArray Declarations() => new(new JsonObject
    {
        ["type"] = "function",
        ["function"] = new JsonObject
        {
            ["name"] = "lookup",
            ["description"] = Second,
            ["parameters"] = new JsonObject
            {
                ["type"] = "object",
                ["properties"] = new JsonObject { ["city"] = new JsonObject { ["type"] = "string", ["description"] = "a city" } },
                ["required"] = new JsonArray("city"),
            },
        },
    });

    private static JsonObject Thinking(bool on) => new() { ["enable_thinking"] = on };

    private static JsonObject Message(string role, JsonNode content) => new() { ["role"] = role, ["content"] = content };

    private static bool Shows(string? text, params ReadOnlySpan<string> pieces)
    {
        foreach (var piece in pieces)
        {
            if (text?.Contains(piece, StringComparison.Ordinal) != true)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The rendered text; null where the template refuses or fails.</summary>
    private static string? Render(ChatTemplate template, JsonObject[] messages, JsonArray? tools = null, bool addGenerationPrompt = true, JsonObject? variables = null)
    {
        try
        {
            var options = new ChatTemplateOptions { Tools = tools, AddGenerationPrompt = addGenerationPrompt, Variables = variables, Clock = StoppedClock.Instance };
            return string.Concat(template.Render(new JsonArray([.. messages.Select(message => message.DeepClone())]), options).Select(span => span.Text));
        }
        catch (ChatTemplateException)
        {
            return null;
        }
    }

    // Probes are compared with each other, so that all of them must see the same moment.
    private sealed class StoppedClock : TimeProvider
    {
        public static readonly StoppedClock Instance = new();

        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch;
    }
}
