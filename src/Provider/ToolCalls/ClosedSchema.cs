using System.Text.Json;
using System.Text.Json.Nodes;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Narrows a schema for generation: an object whose schema names properties and says nothing of others has no others. What is valid under it is valid under the schema as it was given;
/// without it a small model may go on and on with members that nobody asked for.</summary>
internal static class ClosedSchema
{
    private const int MaxDepth = 64;

    // What joins schemas of one object cannot be narrowed piece by piece.
    private static readonly string[] Joining = ["\"allOf\"", "\"unevaluated", "\"$dynamicRef\"", "\"if\"", "\"dependent", "\"dependencies\"", "\"not\""];
    private static readonly string[] Opening = ["additionalProperties", "patternProperties", "propertyNames", "minProperties", "anyOf", "oneOf", "$ref"];

    /// <summary>The narrowed schema; the schema itself where it cannot be narrowed, or is none.</summary>
    public static JsonElement Of(JsonElement schema)
    {
        if (schema.ValueKind != JsonValueKind.Object)
        {
            return schema;
        }

        var text = schema.GetRawText();
        if (Joining.Any(word => text.Contains(word, StringComparison.Ordinal)) || JsonNode.Parse(text) is not JsonObject root)
        {
            return schema;
        }

        Close(root, 0);
        using var document = JsonDocument.Parse(root.ToJsonString());
        return document.RootElement.Clone();
    }

    private static void Close(JsonNode? node, int depth)
    {
        if (node is not JsonObject schema || depth > MaxDepth)
        {
            return;
        }

        if (schema["properties"] is JsonObject properties)
        {
            foreach (var (_, property) in properties)
            {
                Close(property, depth + 1);
            }

            var isKnown = schema["required"] is not JsonArray required || required.All(name => name is JsonValue value && value.TryGetValue<string>(out var key) && properties.ContainsKey(key));
            if (isKnown && !Array.Exists(Opening, schema.ContainsKey))
            {
                schema["additionalProperties"] = false;
            }
        }

        Close(schema["items"], depth + 1);
        foreach (var member in new[] { "$defs", "definitions" })
        {
            foreach (var (_, definition) in schema[member] as JsonObject ?? [])
            {
                Close(definition, depth + 1);
            }
        }
    }
}
