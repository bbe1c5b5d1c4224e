using System.Collections;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;

namespace KvPrefetch.AI;

/// <summary>Reads the entries of ChatOptions.AdditionalProperties that the engine knows. Values come as .NET numbers, as JsonElement or as JsonNode; null counts as absent.</summary>
internal static class AdditionalValues
{
    private const int MaxLogitBias = 1024;

    public static float? Number(AdditionalPropertiesDictionary? properties, string name)
    {
        if (Find(properties, name) is not { } value)
        {
            return null;
        }

        return ToNumber(value) is { } number ? (float)number : throw Refusal.Of(name, $"{name} must be a number; it is {Describe(value)}.");
    }

    public static string? Text(AdditionalPropertiesDictionary? properties, string name) => Find(properties, name) switch
    {
        null => null,
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } element => element.GetString(),
        JsonValue node when node.GetValueKind() == JsonValueKind.String => node.GetValue<string>(),
        var value => throw Refusal.Of(name, $"{name} must be text; it is {Describe(value)}."),
    };

    /// <summary>True where the entry asks for something: true, or a number other than 0.</summary>
    public static bool Asked(IReadOnlyDictionary<string, object?>? properties, string name) => Find(properties, name) switch
    {
        null or false or JsonElement { ValueKind: JsonValueKind.False } => false,
        JsonValue value when value.TryGetValue(out bool flag) => flag,
        var value => ToNumber(value) is not 0,
    };

    /// <summary>Token id to bias, from any dictionary or JSON object whose keys are ids (as numbers or text).</summary>
    public static IReadOnlyDictionary<int, float>? LogitBias(AdditionalPropertiesDictionary? properties, string name)
    {
        var value = Find(properties, name);
        switch (value)
        {
            case null:
                return null;
            case IReadOnlyDictionary<int, float> ready:
                return Snapshot(ready, name);
            case JsonElement { ValueKind: JsonValueKind.Object } element:
                CheckCount(element.GetPropertyCount(), name);
                return Collect(element.EnumerateObject().Select(p => ((object)p.Name, (object?)p.Value)), name);
            case JsonObject node:
                CheckCount(node.Count, name);
                return Collect(node.Select(p => ((object)p.Key, (object?)p.Value)), name);
            case IDictionary dictionary:
                CheckCount(dictionary.Count, name);
                return Collect(dictionary.Keys.Cast<object>().Select(key => (key, dictionary[key])), name);
            default:
                throw Refusal.Of(name, $"{name} must map token ids to numbers; it is {Describe(value)}.");
        }
    }

    /// <summary>A copy, which its caller cannot change under the engine.</summary>
    public static IReadOnlyDictionary<int, float>? Snapshot(IReadOnlyDictionary<int, float>? bias, string name)
    {
        CheckCount(bias?.Count ?? 0, name);
        return bias is null ? null : new Dictionary<int, float>(bias);
    }

    private static Dictionary<int, float> Collect(IEnumerable<(object Key, object? Value)> entries, string name)
    {
        var bias = new Dictionary<int, float>();
        foreach (var (key, value) in entries)
        {
            var id = key switch
            {
                string text => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var parsed) ? parsed : default(int?),
                _ => ToNumber(key) is { } number && number is >= int.MinValue and <= int.MaxValue && number == Math.Floor(number) ? (int)number : null,
            };
            if (id is null)
            {
                throw Refusal.Of(name, $"{name} has the key {Quoted.Text(key as string ?? Describe(key))}, which is not a token id.");
            }

            bias[id.Value] = value is not null && ToNumber(value) is { } amount
                ? (float)amount
                : throw Refusal.Of(name, (FormattableString)$"{name} of token {id} must be a number; it is {Describe(value)}.");
        }

        return bias;
    }

    private static void CheckCount(int count, string name)
    {
        if (count > MaxLogitBias)
        {
            throw Refusal.Of(name, (FormattableString)$"{name} has {count} entries; the limit is {MaxLogitBias}.");
        }
    }

    private static object? Find(IReadOnlyDictionary<string, object?>? properties, string name) =>
        properties is not null && properties.TryGetValue(name, out var value) && value is not JsonElement { ValueKind: JsonValueKind.Null or JsonValueKind.Undefined } ? value : null;

    private static double? ToNumber(object value) => value switch
    {
        double number => number,
        float number => number,
        int number => number,
        long number => number,
        decimal number => (double)number,
        uint number => number,
        ulong number => number,
        short number => number,
        ushort number => number,
        byte number => number,
        sbyte number => number,
        Half number => (double)number,
        JsonElement { ValueKind: JsonValueKind.Number } element => element.TryGetDouble(out var number) ? number : null,
        JsonValue node when node.GetValueKind() == JsonValueKind.Number => node.TryGetValue(out JsonElement element) ? ToNumber(element) : ToNumber(node.GetValue<object>()),
        _ => null,
    };

    private static string Describe(object? value) => value switch
    {
        null => "null",
        JsonElement element => "JSON of kind " + element.ValueKind,
        JsonNode node => "JSON of kind " + node.GetValueKind(),
        _ => "a " + value.GetType().Name,
    };
}
