using System.Globalization;
using System.Text.Json.Nodes;

namespace KvPrefetch.AI;

/// <summary>Rewrites a conversation for a format that has no place for some of it. Each change keeps every word; messages are those of <see cref="PromptBuilder"/> and are changed in place.</summary>
internal static class ConversationShape
{
    private const string Between = "\n\n";

    /// <summary>System text goes in front of the next user turn, or behind the last one where none follows.</summary>
    /// <param name="messages">The conversation.</param>
    /// <param name="keepFirst">Leaves a system message alone that begins the conversation.</param>
    public static bool FoldSystem(JsonArray messages, bool keepFirst)
    {
        var changed = false;
        string? pending = null;
        for (var i = keepFirst && messages.Count > 0 && Is(messages[0], "system") ? 1 : 0; i < messages.Count; i++)
        {
            if (Is(messages[i], "system"))
            {
                pending = Join(pending, Content(messages[i]));
                messages.RemoveAt(i--);
                changed = true;
            }
            else if (pending is not null && Is(messages[i], "user"))
            {
                messages[i]!["content"] = Join(pending, Content(messages[i]));
                pending = null;
            }
        }

        if (!string.IsNullOrEmpty(pending))
        {
            if (messages.Count > 0 && Is(messages[^1], "user"))
            {
                messages[^1]!["content"] = Join(Content(messages[^1]), pending);
            }
            else
            {
                messages.Add((JsonNode)Message("user", pending));
            }
        }

        return changed;
    }

    /// <summary>Neighbouring turns of one role become one; one that carries calls begins a turn of its own only where both do. A conversation that the assistant begins gets an empty user turn before it.</summary>
    public static bool MergeTurns(JsonArray messages)
    {
        var changed = false;
        for (var i = 1; i < messages.Count; i++)
        {
            var (before, turn) = (messages[i - 1]!.AsObject(), messages[i]!.AsObject());
            if (!Is(before, Role(turn)) || Is(turn, "tool") || before["tool_calls"] is not null)
            {
                continue;
            }

            before["content"] = Join(Content(before), Content(turn));
            foreach (var name in new[] { "reasoning_content", "tool_calls" })
            {
                if (turn[name] is { } more)
                {
                    turn.Remove(name);
                    before[name] = before[name] is JsonValue old ? Join(old.GetValue<string>(), more.GetValue<string>()) : more;
                }
            }

            messages.RemoveAt(i--);
            changed = true;
        }

        var first = messages.Count > 0 && Is(messages[0], "system") ? 1 : 0;
        if (first < messages.Count && Is(messages[first], "assistant"))
        {
            messages.Insert(first, Message("user", ""));
            changed = true;
        }

        return changed;
    }

    /// <summary>A turn with several calls becomes several with one, each followed by its result where it is there.</summary>
    public static bool SplitCalls(JsonArray messages)
    {
        var changed = false;
        for (var i = 0; i < messages.Count; i++)
        {
            if (messages[i]!["tool_calls"] is not JsonArray { Count: > 1 } calls)
            {
                continue;
            }

            changed = true;
            var results = new List<JsonObject>();
            while (i + 1 < messages.Count && Is(messages[i + 1], "tool"))
            {
                results.Add(messages[i + 1]!.AsObject());
                messages.RemoveAt(i + 1);
            }

            var parts = calls.Select(call => call!.AsObject()).ToList();
            calls.Clear();
            for (var c = 0; c < parts.Count; c++)
            {
                if (c == 0)
                {
                    calls.Add((JsonNode)parts[0]);
                }
                else
                {
                    var turn = Message("assistant", "");
                    turn["tool_calls"] = new JsonArray(parts[c]);
                    messages.Insert(++i, turn);
                }

                // The last call takes what belongs to none.
                foreach (var result in results.Where(r => c == parts.Count - 1 || SameId(r, parts[c])).ToList())
                {
                    results.Remove(result);
                    messages.Insert(++i, result);
                }
            }
        }

        return changed;
    }

    /// <summary>Calls become text behind their turn's own, as <paramref name="write"/> writes them.</summary>
    public static bool CallsAsText(JsonArray messages, Func<JsonObject, string> write)
    {
        var changed = false;
        foreach (var message in messages.Where(m => m!["tool_calls"] is not null))
        {
            var calls = message!["tool_calls"]!.AsArray().Select(call => write(call!["function"]!.AsObject()));
            var text = Content(message);
            message["content"] = string.Join('\n', text.Length == 0 ? calls : calls.Prepend(text));
            message.AsObject().Remove("tool_calls");
            changed = true;
        }

        return changed;
    }

    /// <summary>Results become user turns, neighbours one.</summary>
    public static bool ResultsAsUser(JsonArray messages, Func<string, string> write)
    {
        var changed = false;
        for (var i = 0; i < messages.Count; i++)
        {
            if (!Is(messages[i], "tool"))
            {
                continue;
            }

            var text = write(Content(messages[i]));
            while (i + 1 < messages.Count && Is(messages[i + 1], "tool"))
            {
                text += "\n" + write(Content(messages[i + 1]));
                messages.RemoveAt(i + 1);
            }

            messages[i] = Message("user", text);
            changed = true;
        }

        return changed;
    }

    /// <summary>Ids of calls become nine letters and digits, which is what the strictest template takes.</summary>
    public static bool ShortIds(JsonArray messages) => RenameIds(messages, (_, index) => string.Create(CultureInfo.InvariantCulture, $"call{index + 1:D5}"));

    /// <summary>Ids of calls and of their results become what <paramref name="rename"/> makes of a function's name and the call's index in the conversation.</summary>
    public static bool RenameIds(JsonArray messages, Func<string, int, string> rename)
    {
        var ids = new Dictionary<string, string>(StringComparer.Ordinal);
        void Replace(JsonNode owner, string member, string? function)
        {
            if (owner[member]?.GetValue<string>() is { } id)
            {
                if (!ids.TryGetValue(id, out var known))
                {
                    ids[id] = known = rename(function ?? "unknown", ids.Count);
                }

                owner[member] = known;
            }
        }

        foreach (var message in messages)
        {
            foreach (var call in message!["tool_calls"]?.AsArray() ?? [])
            {
                Replace(call!, "id", call!["function"]?["name"]?.GetValue<string>());
            }

            Replace(message, "tool_call_id", message["name"]?.GetValue<string>());
        }

        return ids.Any(id => !string.Equals(id.Key, id.Value, StringComparison.Ordinal));
    }

    /// <summary>Adds to the system text that begins the conversation, or begins it so.</summary>
    public static void AppendSystem(JsonArray messages, string text)
    {
        if (messages.Count > 0 && Is(messages[0], "system"))
        {
            messages[0]!["content"] = Join(Content(messages[0]), text);
        }
        else
        {
            messages.Insert(0, Message("system", text));
        }
    }

    public static JsonObject Message(string role, string? content) => new() { ["role"] = role, ["content"] = content };

    public static bool Is(JsonNode? message, string role) => string.Equals(Role(message), role, StringComparison.Ordinal);

    private static string Role(JsonNode? message) => message!["role"]!.GetValue<string>();

    private static string Content(JsonNode? message) => message!["content"]?.GetValue<string>() ?? "";

    private static string Join(string? first, string second) => string.IsNullOrEmpty(first) ? second : second.Length == 0 ? first : first + Between + second;

    private static bool SameId(JsonObject result, JsonObject call) =>
        string.Equals(result["tool_call_id"]?.GetValue<string>(), call["id"]?.GetValue<string>(), StringComparison.Ordinal);
}
