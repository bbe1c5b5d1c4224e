using System.Text.Json;
using Microsoft.Extensions.AI;

namespace KvPrefetch.AI;

/// <summary>What ChatOptions says of the form of the text.</summary>
/// <param name="Schema">The text is JSON under this schema; null leaves it free.</param>
/// <param name="Instruction">Tells the model so; null where there is nothing to say.</param>
internal sealed record FormatRequest(JsonElement? Schema, string? Instruction)
{
    private const int MaxSchemaCharacters = 256 << 10;
    private static readonly JsonElement AnyObject = Parse("""{"type":"object"}""");

    /// <exception cref="Engine.InvalidRequestException">The schema is no schema, or too large.</exception>
    public static FormatRequest Of(ChatOptions? options)
    {
        const string Name = nameof(ChatOptions.ResponseFormat);
        switch (options?.ResponseFormat)
        {
            case null or ChatResponseFormatText:
                return new FormatRequest(null, null);
            case ChatResponseFormatJson { Schema: null }:
                return new FormatRequest(AnyObject, "Answer with a JSON object and nothing else.");
            case ChatResponseFormatJson { Schema: { } schema } json:
                if (schema.ValueKind is not (JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False))
                {
                    throw Refusal.Of(Name, $"The schema of ResponseFormat is JSON of kind {schema.ValueKind}; an object is needed.");
                }

                var text = schema.GetRawText();
                if (text.Length > MaxSchemaCharacters)
                {
                    throw Refusal.Of(Name, (FormattableString)$"The schema of ResponseFormat has {text.Length} characters; the limit is {MaxSchemaCharacters}.");
                }

                var what = string.IsNullOrWhiteSpace(json.SchemaDescription) ? "" : $" ({json.SchemaDescription})";
                return new FormatRequest(schema.Clone(), $"Answer with JSON{what} that is valid under this schema, and nothing else:\n{text}");
            default:
                throw Refusal.Of(Name, $"A ResponseFormat of type {options.ResponseFormat.GetType().Name} is not known; Text, Json and a JSON schema are.");
        }
    }

    private static JsonElement Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
