using System.Text.Json;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>The functions of a request: their names, and the types of their arguments, which formats without JSON need.</summary>
/// <param name="schemas">Name to the JSON schema of the arguments.</param>
internal sealed class ToolSet(IReadOnlyDictionary<string, JsonElement> schemas)
{
    public static ToolSet Empty { get; } = new(new Dictionary<string, JsonElement>(StringComparer.Ordinal));

    public IReadOnlyDictionary<string, JsonElement> Schemas { get; } = schemas;

    public bool Contains(string name) => Schemas.ContainsKey(name);

    /// <summary>A name without what some models put before it.</summary>
    public string Resolve(string name)
    {
        const string Prefix = "functions.";
        name = name.Trim();
        return !Contains(name) && name.StartsWith(Prefix, StringComparison.Ordinal) ? name[Prefix.Length..] : name;
    }

    /// <summary>What a bare word stands for: true where the argument is text alone, false where it is something else, null where nobody says.</summary>
    public bool? IsText(string function, string argument)
    {
        if (!Schemas.TryGetValue(function, out var schema) || schema.ValueKind != JsonValueKind.Object
            || !schema.TryGetProperty("properties", out var properties) || properties.ValueKind != JsonValueKind.Object
            || !properties.TryGetProperty(argument, out var property) || property.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        if (property.TryGetProperty("type", out var type))
        {
            return type.ValueKind switch
            {
                JsonValueKind.String => type.ValueEquals("string"),
                JsonValueKind.Array => type.EnumerateArray().All(t => t.ValueKind == JsonValueKind.String && t.ValueEquals("string")),
                _ => null,
            };
        }

        return property.TryGetProperty("enum", out var values) && values.ValueKind == JsonValueKind.Array ? values.EnumerateArray().All(v => v.ValueKind == JsonValueKind.String) : null;
    }
}
