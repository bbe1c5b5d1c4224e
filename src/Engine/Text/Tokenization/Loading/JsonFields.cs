using System.Text.Json;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Fields of a JSON object, each with the error that names it.</summary>
internal static class JsonFields
{
    public static string Type(JsonElement element, string where) => String(element, "type", where);

    public static JsonElement Required(JsonElement element, string name, string where)
        => Has(element, name, where, out var value) ? value : throw Wrong(name, where, "is missing");

    public static string String(JsonElement element, string name, string where)
    {
        var value = Required(element, name, where);
        return value.ValueKind == JsonValueKind.String ? Text(value, name, where) : throw Wrong(name, where, $"is {value.ValueKind}, not a string");
    }

    public static string? OptionalString(JsonElement element, string name, string where)
        => !Has(element, name, where, out var value) || value.ValueKind == JsonValueKind.Null ? null
            : value.ValueKind == JsonValueKind.String ? Text(value, name, where)
            : throw Wrong(name, where, $"is {value.ValueKind}, not a string");

    public static bool Bool(JsonElement element, string name, string where, bool? absent = null)
        => !Has(element, name, where, out var value) || value.ValueKind == JsonValueKind.Null ? absent ?? throw Wrong(name, where, "is missing")
            : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
            : throw Wrong(name, where, $"is {value.ValueKind}, not true or false");

    public static int Int(JsonElement element, string name, string where, int? absent = null)
        => !Has(element, name, where, out var value) || value.ValueKind == JsonValueKind.Null ? absent ?? throw Wrong(name, where, "is missing")
            : Number(value, name, where);

    /// <summary>A whole number from 0 to 2^31 - 1.</summary>
    public static int Number(JsonElement value, string name, string where)
        => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= 0 ? number
            : throw Wrong(name, where, $"is {TokenizerErrors.Shown(value.GetRawText())}, not a whole number from 0 to {int.MaxValue}");

    public static JsonElement Array(JsonElement element, string name, string where)
    {
        var value = Required(element, name, where);
        return value.ValueKind == JsonValueKind.Array ? value : throw Wrong(name, where, $"is {value.ValueKind}, not an array");
    }

    /// <summary>A string of one character.</summary>
    public static string Character(JsonElement element, string name, string where)
    {
        var text = String(element, name, where);
        return text.Length == 1 || (text.Length == 2 && char.IsSurrogatePair(text, 0)) ? text : throw Wrong(name, where, $"is '{TokenizerErrors.Shown(text)}', not one character");
    }

    public static bool Has(JsonElement element, string name, string where, out JsonElement value)
        => element.ValueKind == JsonValueKind.Object ? element.TryGetProperty(name, out value)
            : throw TokenizerErrors.Format("InvalidField", $"tokenizer.json: {where} is {element.ValueKind}, not an object.");

    public static string Text(JsonElement value, string name, string where)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw TokenizerErrors.Format("InvalidField", $"tokenizer.json: {where}.{name} holds a lone surrogate.", e);
        }
    }

    public static TokenizerFormatException Wrong(string name, string where, string what)
        => TokenizerErrors.Format("InvalidField", $"tokenizer.json: {where}.{name} {what}.");
}
