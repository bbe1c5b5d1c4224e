using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using KvPrefetch.AI.ToolCalls;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;

namespace KvPrefetch.AI;

/// <summary>Turns chat messages into the objects that chat templates read: role, content, and where there are any name, reasoning_content, tool_calls, tool_call_id.</summary>
internal sealed class PromptBuilder
{
    public const int MaxMessages = 16_384;
    public const int MaxCharacters = 16 << 20;

    private readonly JsonArray _messages = [];
    private readonly Dictionary<string, string> _functionOfCall = new(StringComparer.Ordinal);
    private long _characters;

    private PromptBuilder()
    {
    }

    /// <summary>The prompt's messages. Everything in them is content: nothing here can become a control token.</summary>
    /// <param name="messages">In order; one without contents is an empty turn.</param>
    /// <param name="instructions">System text placed before the messages (in front of a system message that begins them); blank counts as none.</param>
    /// <exception cref="InvalidRequestException">Nothing to answer, too much, an unknown role, or content that a text model cannot read.</exception>
    public static JsonArray Build(IReadOnlyList<ChatMessage> messages, string? instructions)
    {
        instructions = string.IsNullOrWhiteSpace(instructions) ? null : instructions;
        if (messages.Count == 0 && instructions is null)
        {
            throw Invalid("There are no messages.");
        }

        if (messages.Count > MaxMessages)
        {
            throw Invalid(FormattableString.Invariant($"There are {messages.Count} messages; the limit is {MaxMessages}."));
        }

        var builder = new PromptBuilder();
        for (var i = 0; i < messages.Count; i++)
        {
            builder.Add(messages[i] ?? throw Invalid(FormattableString.Invariant($"messages[{i}] is null.")), i);
        }

        if (instructions is not null)
        {
            builder.AddInstructions(instructions);
        }

        return builder._messages;
    }

    private void AddInstructions(string instructions)
    {
        Count(instructions);
        if (_messages.Count > 0 && string.Equals(_messages[0]!["role"]!.GetValue<string>(), "system", StringComparison.Ordinal))
        {
            var first = _messages[0]!["content"]!.GetValue<string>();
            _messages[0]!["content"] = first.Length == 0 ? instructions : instructions + "\n\n" + first;
        }
        else
        {
            _messages.Insert(0, new JsonObject { ["role"] = "system", ["content"] = instructions });
        }
    }

    /// <summary>One message becomes one turn, except that every function result is a turn of its own, and calls belong to the assistant.</summary>
    private void Add(ChatMessage message, int index)
    {
        var role = RoleOf(message, index);
        var turn = new Turn(role, message.AuthorName);
        var added = _messages.Count;
        foreach (var content in message.Contents)
        {
            switch (content)
            {
                case TextContent text:
                    turn.Text.Append(Count(text.Text));
                    break;
                case TextReasoningContent reasoning:
                    turn.Reasoning.Append(Count(reasoning.Text));
                    break;
                case FunctionCallContent call:
                    if (turn.Role is not "assistant")
                    {
                        Flush(turn);
                        turn = new Turn("assistant", message.AuthorName);
                    }

                    turn.Calls.Add((JsonNode)Call(call, index));
                    break;
                case FunctionResultContent result:
                    Flush(turn);
                    turn = new Turn(role, message.AuthorName);
                    AddResult(result, index);
                    break;
                case UsageContent:
                    break;
                case ErrorContent error when CallErrors.IsOurs(error):
                    turn.Text.Append(Count(error.Details));
                    break;
                case null:
                    throw Invalid(FormattableString.Invariant($"messages[{index}] has a null content."));
                default:
                    if (content.GetType() != typeof(AIContent))
                    {
                        throw Invalid(FormattableString.Invariant($"messages[{index}] has {Describe(content)}; this model reads text only."));
                    }

                    break; // a bare AIContent carries another provider's raw event and nothing to read
            }
        }

        Flush(turn);
        if (_messages.Count == added)
        {
            _messages.Add((JsonNode)new Turn(role, message.AuthorName).ToJson());
        }
    }

    private void Flush(Turn turn)
    {
        if (turn.Text.Length > 0 || turn.Reasoning.Length > 0 || turn.Calls.Count > 0)
        {
            _messages.Add((JsonNode)turn.ToJson());
        }
    }

    private JsonObject Call(FunctionCallContent call, int index)
    {
        _functionOfCall[call.CallId] = call.Name;
        JsonNode arguments = new JsonObject();
        if (call.Arguments is { Count: > 0 } given)
        {
            arguments = Serialized(() => JsonSerializer.SerializeToNode(given, CompactJson.Options.GetTypeInfo(typeof(IDictionary<string, object?>)))!, "arguments", index);
            Count(arguments.ToJsonString(CompactJson.Options));
        }

        Count(call.Name);
        return new JsonObject
        {
            ["id"] = call.CallId,
            ["type"] = "function",
            ["function"] = new JsonObject { ["name"] = call.Name, ["arguments"] = arguments },
        };
    }

    private void AddResult(FunctionResultContent result, int index)
    {
        var turn = new JsonObject { ["role"] = "tool", ["content"] = Count(ResultText(result.Result, index)), ["tool_call_id"] = result.CallId };
        if (_functionOfCall.TryGetValue(result.CallId, out var name))
        {
            turn["name"] = name;
        }

        _messages.Add((JsonNode)turn);
    }

    /// <summary>Text as it is, also where it comes as a JSON string or as contents; null as nothing; everything else as JSON.</summary>
    private static string ResultText(object? result, int index) => result switch
    {
        null or JsonElement { ValueKind: JsonValueKind.Null or JsonValueKind.Undefined } => "",
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } element => element.GetString()!,
        JsonValue node when node.GetValueKind() == JsonValueKind.String => node.GetValue<string>(),
        TextContent text => text.Text,
        IEnumerable<AIContent> contents when contents.All(c => c is TextContent) => string.Concat(contents.Cast<TextContent>().Select(c => c.Text)),
        AIContent content => throw Invalid(FormattableString.Invariant($"messages[{index}] has a function result with {Describe(content)}; this model reads text only.")),
        _ => Serialized(() => JsonSerializer.Serialize(result, CompactJson.Options.GetTypeInfo(typeof(object))), "result", index),
    };

    private static T Serialized<T>(Func<T> serialize, string what, int index)
    {
        try
        {
            return serialize();
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or InvalidOperationException or ArgumentException)
        {
            throw Invalid(FormattableString.Invariant($"messages[{index}] has a function {what} that cannot be written as JSON: {Quoted.Text(e.Message)}."));
        }
    }

    private string Count(string? text)
    {
        text ??= "";
        _characters += text.Length;
        return _characters <= MaxCharacters ? text : throw Invalid(FormattableString.Invariant($"The messages have more than {MaxCharacters} characters, which is the limit."));
    }

    private static string RoleOf(ChatMessage message, int index) => message.Role.Value.ToLowerInvariant() switch
    {
        "system" or "developer" => "system",
        "user" => "user",
        "assistant" => "assistant",
        "tool" => "tool",
        _ => throw Invalid(FormattableString.Invariant($"messages[{index}] has the role {Quoted.Text(message.Role.Value)}; system, developer, user, assistant and tool are known.")),
    };

    private static string Describe(AIContent content) => content switch
    {
        DataContent data => $"a DataContent ({Quoted.Text(data.MediaType)})",
        UriContent uri => $"a UriContent ({Quoted.Text(uri.MediaType)})",
        _ => "a " + content.GetType().Name,
    };

    private static InvalidRequestException Invalid(string message) => Refusal.Of("messages", message);

    private sealed class Turn(string role, string? author)
    {
        public string Role { get; } = role;
        public StringBuilder Text { get; } = new();
        public StringBuilder Reasoning { get; } = new();
        public JsonArray Calls { get; } = [];

        public JsonObject ToJson()
        {
            // Content is always a string: templates join it to others without asking.
            var turn = new JsonObject { ["role"] = Role, ["content"] = Text.ToString() };
            if (!string.IsNullOrWhiteSpace(author))
            {
                turn["name"] = author;
            }

            if (Reasoning.Length > 0)
            {
                turn["reasoning_content"] = Reasoning.ToString();
            }

            if (Calls.Count > 0)
            {
                turn["tool_calls"] = Calls;
            }

            return turn;
        }
    }
}
