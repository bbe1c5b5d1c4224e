using System.Text.Json;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>A call as a model wrote it.</summary>
/// <param name="Name">Of the function; never empty.</param>
/// <param name="Id">The model's own name for the call, where its format has one.</param>
/// <param name="Arguments">Values are JsonElement; null where they cannot be read.</param>
/// <param name="Error">Why they cannot.</param>
internal sealed record ToolCall(string Name, string? Id, IDictionary<string, object?>? Arguments, Exception? Error)
{
    private const int MaxDepth = 64;

    /// <summary>A call whose arguments are JSON text: an object, or a string that holds one; nothing and null are no arguments.</summary>
    public static ToolCall Of(string name, string? id, ReadOnlySpan<char> json)
    {
        json = json.Trim();
        if (json.IsEmpty)
        {
            return new ToolCall(name, id, new Dictionary<string, object?>(StringComparer.Ordinal), null);
        }

        try
        {
            using var document = Parse(json);
            return Read(name, id, document.RootElement);
        }
        catch (Exception e) when (IsUnreadable(e))
        {
            return Broken(name, id, e);
        }
    }

    public static ToolCall Of(string name, string? id, JsonElement arguments)
    {
        try
        {
            return Read(name, id, arguments);
        }
        catch (Exception e) when (IsUnreadable(e))
        {
            return Broken(name, id, e);
        }
    }

    /// <exception cref="Exception">One that <see cref="IsUnreadable"/> knows.</exception>
    private static ToolCall Read(string name, string? id, JsonElement arguments)
    {
        switch (arguments.ValueKind)
        {
            case JsonValueKind.Null or JsonValueKind.Undefined:
                return Of(name, id, []);
            case JsonValueKind.Object:
                return new ToolCall(name, id, Members(arguments), null);
            case JsonValueKind.String:
                // Once only: text within text is what some model was taught, more is a game.
                using (var inner = Parse(arguments.GetString()))
                {
                    if (inner.RootElement.ValueKind == JsonValueKind.Object)
                    {
                        return new ToolCall(name, id, Members(inner.RootElement), null);
                    }
                }

                break;
        }

        return Broken(name, id, new JsonException($"The arguments are not an object but JSON of kind {arguments.ValueKind}."));
    }

    /// <summary>What reading a model's JSON may throw: it is none, or an escape in it spells half a character.</summary>
    public static bool IsUnreadable(Exception e) => e is JsonException or InvalidOperationException or ArgumentException;

    public static ToolCall Broken(string name, string? id, Exception error) => new(name, id, null, error);

    private static Dictionary<string, object?> Members(JsonElement arguments)
    {
        var values = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var member in arguments.EnumerateObject())
        {
            values[member.Name] = member.Value.Clone();
        }

        return values;
    }

    /// <summary>Reads what was scanned as JSON before; deeper than 64 is an error.</summary>
    /// <exception cref="JsonException">It is none after all.</exception>
    public static JsonDocument Parse(ReadOnlySpan<char> json) => JsonDocument.Parse(json.ToString(), new JsonDocumentOptions { MaxDepth = MaxDepth, AllowTrailingCommas = true });
}

internal enum AnswerPartKind
{
    Text,
    Reasoning,
    Call,
    /// <summary>A call that could not be read at all; the text is what the model wrote.</summary>
    Malformed,
}

/// <summary>A piece of an answer, as its reader gives it out.</summary>
internal readonly record struct AnswerPart(AnswerPartKind Kind, string Text, ToolCall? Call = null);
