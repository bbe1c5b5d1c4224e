using System.Text.Encodings.Web;
using System.Text.Json;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>JSON as it is generated: members in the order in which the schema names them. Small models read the schema in the prompt and write in its order anyway; and where one key only can come,
/// its text needs no model. An object whose schema says more than which members there are and which must be there is left to the schema, in any order.</summary>
internal static class OrderedJson
{
    private const int MaxDepth = 32;
    private const int MaxMembers = 128;

    private static readonly JsonSchemaOptions Compact = new() { FreeWhiteSpace = false };

    // What says nothing of the value, and what is read here.
    private static readonly string[] ObjectWords = ["type", "properties", "required", "additionalProperties", "title", "description", "$comment", "default", "examples", "deprecated", "readOnly", "writeOnly", "$defs", "definitions", "$schema"];
    private static readonly string[] ArrayWords = ["type", "items", "minItems", "maxItems", "title", "description", "$comment", "default", "examples", "deprecated", "readOnly", "writeOnly"];

    /// <summary>Any value under a schema.</summary>
    public static GrammarPart Of(JsonElement schema) => Of(schema, schema, RefersToDefinitions(schema, 0), 0) ?? GrammarPart.Json(schema, Compact);

    /// <summary>Null where nothing of it is ordered.</summary>
    private static GrammarPart? Of(JsonElement schema, JsonElement root, bool isOrdered, int depth) => !isOrdered || depth > MaxDepth || schema.ValueKind != JsonValueKind.Object ? null
        : Is(schema, "object", ObjectWords) ? Object(schema, root, depth)
        : Is(schema, "array", ArrayWords) ? Array(schema, root, depth)
        : null;

    private static GrammarPart? Object(JsonElement schema, JsonElement root, int depth)
    {
        if (!schema.TryGetProperty("properties", out var properties) || properties.ValueKind != JsonValueKind.Object
            || !schema.TryGetProperty("additionalProperties", out var others) || others.ValueKind != JsonValueKind.False
            || Required(schema) is not { } required)
        {
            return null;
        }

        var members = properties.EnumerateObject().ToList();
        var names = members.Select(m => m.Name).ToHashSet(StringComparer.Ordinal);
        if (members.Count is 0 or > MaxMembers || names.Count < members.Count || !required.IsSubsetOf(names) || members.Exists(m => m.Value.ValueKind is not (JsonValueKind.Object or JsonValueKind.True)))
        {
            return null;
        }

        // From the end: each member with what may follow it. Alternatives stand side by side, however many members may be left out.
        var first = new GrammarPart[members.Count];
        var later = new GrammarPart[members.Count];
        for (var i = members.Count - 1; i >= 0; i--)
        {
            var key = CallGrammar.Text("\"" + JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(members[i].Name) + "\":");
            var value = Of(members[i].Value, root, isOrdered: true, depth + 1) ?? GrammarPart.Json(CallGrammar.Resolved(members[i].Value, root), Compact);
            var rest = Following(later, i + 1);
            first[i] = CallGrammar.Join(key, value, rest);
            later[i] = CallGrammar.Join(CallGrammar.Text(","), key, value, rest);
        }

        return CallGrammar.Join(CallGrammar.Text("{"), Following(first, 0));

        GrammarPart Following(GrammarPart[] parts, int from)
        {
            var alternatives = new List<GrammarPart>();
            for (var i = from; i < parts.Length; i++)
            {
                alternatives.Add(parts[i]);
                if (required.Contains(members[i].Name))
                {
                    return CallGrammar.Choose(alternatives);
                }
            }

            alternatives.Add(CallGrammar.Text("}"));
            return CallGrammar.Choose(alternatives);
        }
    }

    private static GrammarPart? Array(JsonElement schema, JsonElement root, int depth)
    {
        if (!schema.TryGetProperty("items", out var items) || Of(items, root, isOrdered: true, depth + 1) is not { } item || Count(schema, "minItems", 0) is not { } min || Count(schema, "maxItems", int.MaxValue) is not { } max || max < min || max == 0)
        {
            return null;
        }

        var more = GrammarPart.Repeat(CallGrammar.Join(CallGrammar.Text(","), item), Math.Max(0, min - 1), max == int.MaxValue ? null : max - 1);
        var some = CallGrammar.Join(CallGrammar.Text("["), item, more, CallGrammar.Text("]"));
        return min > 0 ? some : CallGrammar.Choose([some, CallGrammar.Text("[]")]);
    }

    private static bool Is(JsonElement schema, string type, string[] words) => schema.TryGetProperty("type", out var given) && given.ValueKind == JsonValueKind.String && given.ValueEquals(type)
        && schema.EnumerateObject().All(member => words.Contains(member.Name, StringComparer.Ordinal));

    private static HashSet<string>? Required(JsonElement schema) => !schema.TryGetProperty("required", out var names) ? []
        : names.ValueKind == JsonValueKind.Array && names.EnumerateArray().All(n => n.ValueKind == JsonValueKind.String) ? names.EnumerateArray().Select(n => n.GetString()!).ToHashSet(StringComparer.Ordinal)
        : null;

    private static int? Count(JsonElement schema, string name, int otherwise) => !schema.TryGetProperty(name, out var value) ? otherwise
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var count) && count is >= 0 and <= 1000 ? count
        : null;

    /// <summary>Whether all references, if there are any, are to definitions of the schema: those a member can take along.</summary>
    private static bool RefersToDefinitions(JsonElement schema, int depth) => depth <= MaxDepth && schema.ValueKind switch
    {
        JsonValueKind.Object => schema.EnumerateObject().All(member => member.Name switch
        {
            "$ref" => member.Value.ValueKind == JsonValueKind.String && member.Value.GetString() is { } target && (target.StartsWith("#/$defs/", StringComparison.Ordinal) || target.StartsWith("#/definitions/", StringComparison.Ordinal)),
            "$id" or "id" or "$anchor" or "$dynamicAnchor" or "$dynamicRef" or "$recursiveRef" => member.Value.ValueKind != JsonValueKind.String,
            _ => RefersToDefinitions(member.Value, depth + 1),
        }),
        JsonValueKind.Array => schema.EnumerateArray().All(item => RefersToDefinitions(item, depth + 1)),
        _ => true,
    };
}
