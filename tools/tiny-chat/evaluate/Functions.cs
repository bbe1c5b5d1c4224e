using System.Text.Json;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tools.Evaluate;

/// <summary>Declares functions.</summary>
internal static class Functions
{
    /// <param name="name">Of the function.</param>
    /// <param name="description">What it does.</param>
    /// <param name="parameters">Each as <c>name:type:description</c>; a type with strokes is a list of values, a question mark behind it makes the parameter optional.</param>
    public static AIFunctionDeclaration Declare(string name, string description, params string[] parameters)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("type", "object");
            json.WriteStartObject("properties");
            foreach (var parameter in parameters)
            {
                var parts = parameter.Split(':', 3);
                WriteParameter(json, parts[0], parts[1].TrimEnd('?'), parts[2]);
            }

            json.WriteEndObject();
            json.WriteStartArray("required");
            foreach (var parameter in parameters)
            {
                if (!parameter.Split(':', 3)[1].EndsWith('?'))
                {
                    json.WriteStringValue(parameter.Split(':', 3)[0]);
                }
            }

            json.WriteEndArray();
            json.WriteBoolean("additionalProperties", value: false);
            json.WriteEndObject();
        }

        using var schema = JsonDocument.Parse(buffer.ToArray());
        return AIFunctionFactory.CreateDeclaration(name, description, schema.RootElement.Clone());
    }

    /// <summary>One that is asked for among others, at a place that changes from case to case.</summary>
    public static AIFunctionDeclaration[] Among(AIFunctionDeclaration asked, IReadOnlyList<AIFunctionDeclaration> others, int seed)
    {
        var without = others.Where(o => o.Name != asked.Name).ToList();
        var count = Math.Min(1 + (seed % 4), without.Count);
        var chosen = Enumerable.Range(0, count).Select(i => without[(seed + i) % without.Count]).ToList();
        chosen.Insert(seed * 7 % (count + 1), asked);
        return [.. chosen];
    }

    private static void WriteParameter(Utf8JsonWriter json, string name, string type, string description)
    {
        json.WriteStartObject(name);
        json.WriteString("type", type.Contains('|', StringComparison.Ordinal) ? "string" : type);
        if (type.Contains('|', StringComparison.Ordinal))
        {
            json.WriteStartArray("enum");
            foreach (var value in type.Split('|'))
            {
                json.WriteStringValue(value);
            }

            json.WriteEndArray();
        }

        json.WriteString("description", description);
        json.WriteEndObject();
    }
}
