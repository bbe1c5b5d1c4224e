using System.Text;
using System.Text.Json.Nodes;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Tools, calls and results as plain text, for models whose chat template knows none: the form that most models met in training, JSON between tags.</summary>
internal static class ToolSection
{
    public const string CallStart = "<tool_call>";
    public const string CallEnd = "</tool_call>";

    /// <summary>The system text that declares functions and says how to call them.</summary>
    /// <param name="tools">Declarations in OpenAI's function form.</param>
    public static string Declare(JsonArray tools)
    {
        var text = new StringBuilder("# Tools\n\nYou may call functions to help with the user's request. Each of these lines is one function, as JSON:\n");
        foreach (var tool in tools)
        {
            text.Append((tool!["function"] ?? tool).ToJsonString(CompactJson.Options)).Append('\n');
        }

        return text.Append("\nTo call a function, write its name and arguments as JSON between tags:\n")
            .Append(CallStart).Append("\n{\"name\": \"function name\", \"arguments\": {\"argument\": \"value\"}}\n").Append(CallEnd)
            .Append("\nSeveral calls follow each other. Results come back between <tool_response> and </tool_response>.").ToString();
    }

    /// <summary>A call of the history.</summary>
    /// <param name="function">With name and arguments.</param>
    public static string Call(JsonObject function)
    {
        if (function["arguments"] is JsonValue text)
        {
            // Some template wanted them as text.
            function = new JsonObject { ["name"] = function["name"]!.DeepClone(), ["arguments"] = JsonNode.Parse(text.GetValue<string>()) };
        }

        return $"{CallStart}\n{function.ToJsonString(CompactJson.Options)}\n{CallEnd}";
    }

    public static string Result(string text) => $"<tool_response>\n{text}\n</tool_response>";
}
