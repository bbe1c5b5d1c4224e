using System.Text.Json;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Reads calls out of JSON objects, whatever a family calls their members.</summary>
internal static class CallObjects
{
    private static readonly string[] Names = ["name", "tool_name", "function"];
    private static readonly string[] Arguments = ["arguments", "parameters", "args", "input"];
    private static readonly string[] Ids = ["id", "tool_call_id", "call_id"];

    /// <summary>Adds the calls of an object or an array of them; false, and nothing added, where one is none.</summary>
    public static bool Add(string json, List<ToolCall> calls)
    {
        var before = calls.Count;
        try
        {
            using var document = ToolCall.Parse(json);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Array ? root.EnumerateArray().All(item => AddOne(item, calls)) : AddOne(root, calls))
            {
                return true;
            }
        }
        catch (Exception e) when (ToolCall.IsUnreadable(e))
        {
            // What was read of it counts for nothing.
        }

        calls.RemoveRange(before, calls.Count - before);
        return false;
    }

    /// <summary>The name in JSON that does not parse, so that the caller hears which function was meant; null where there is none.</summary>
    public static string? NameOf(ReadOnlySpan<char> broken)
    {
        foreach (var member in Names)
        {
            var at = broken.IndexOf($"\"{member}\"", StringComparison.Ordinal);
            if (at < 0)
            {
                continue;
            }

            var rest = broken[(at + member.Length + 2)..].TrimStart();
            if (rest is not [':', .. var value] || value.TrimStart() is not ['"', .. var name])
            {
                continue;
            }

            var end = name.IndexOfAny('"', '\\', '\n');
            if (end > 0 && name[end] == '"')
            {
                return name[..end].ToString();
            }
        }

        return null;
    }

    private static bool AddOne(JsonElement item, List<ToolCall> calls)
    {
        if (item.ValueKind != JsonValueKind.Object)
        {
            return false;
        }

        if (item.TryGetProperty("function", out var function) && function.ValueKind == JsonValueKind.Object)
        {
            var id = Text(item, Ids);
            return Text(function, Names) is { } inner && Add(inner, id, function, calls);
        }

        if (Text(item, Names) is { } name)
        {
            return Add(name, Text(item, Ids), item, calls);
        }

        // {"function name": {arguments}}
        using var members = item.EnumerateObject();
        if (members.MoveNext() && members.Current is { Value.ValueKind: JsonValueKind.Object } only && !members.MoveNext() && only.Name.Length > 0)
        {
            calls.Add(ToolCall.Of(only.Name, null, only.Value));
            return true;
        }

        return false;
    }

    private static bool Add(string name, string? id, JsonElement owner, List<ToolCall> calls)
    {
        if (string.IsNullOrWhiteSpace(name))
        {
            return false;
        }

        foreach (var member in Arguments)
        {
            if (owner.TryGetProperty(member, out var arguments))
            {
                calls.Add(ToolCall.Of(name, id, arguments));
                return true;
            }
        }

        calls.Add(ToolCall.Of(name, id, []));
        return true;
    }

    private static string? Text(JsonElement owner, string[] members)
    {
        foreach (var member in members)
        {
            if (owner.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String)
            {
                return value.GetString();
            }
        }

        return null;
    }
}
