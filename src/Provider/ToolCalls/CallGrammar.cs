using System.Globalization;
using System.Text;
using System.Text.Json;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Pieces that the families' grammars of calls are made of: tags as tokens where the vocabulary has them, arguments as JSON under their schema, compact and in the order of their definition.</summary>
internal sealed class CallGrammar
{
    private static readonly JsonSchemaOptions Compact = new() { FreeWhiteSpace = false };
    private static readonly JsonElement AnyObject = Parse("""{"type":"object"}""");
    private static readonly JsonElement AnyText = Parse("""{"type":"string"}""");
    private static readonly JsonElement AnyNumber = Parse("""{"type":["number","boolean","null"]}""");

    private readonly Func<string, int?> _token;

    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="tools">The functions that may be called; at least one.</param>
    /// <param name="isMultiple">More calls than one may be written.</param>
    /// <param name="asText">Tags are letters, whatever the vocabulary has: our own section's.</param>
    public CallGrammar(Tokenizer tokenizer, IReadOnlyDictionary<string, JsonElement> tools, bool isMultiple, bool asText = false)
    {
        (Tools, IsMultiple) = (tools, isMultiple);
        _token = tag => !asText && tokenizer.TryGetId(tag, out var id) && tokenizer.IsAdded(id) ? id : null;
    }

    public IReadOnlyDictionary<string, JsonElement> Tools { get; }

    public bool IsMultiple { get; }

    /// <summary>The token's id where the tag is one.</summary>
    public int? Token(string tag) => _token(tag);

    /// <summary>A tag; text around it may be given with it.</summary>
    public GrammarPart Tag(string tag) => _token(tag) is { } id ? GrammarPart.Token(id) : GrammarPart.Text(tag);

    public static GrammarPart Text(string text) => GrammarPart.Text(text);

    public static GrammarPart Join(params IReadOnlyList<GrammarPart> parts) => GrammarPart.Sequence(parts);

    /// <summary>One of the functions' calls.</summary>
    public GrammarPart EachTool(Func<string, JsonElement, GrammarPart> call) => Choose([.. Tools.Select(tool => call(tool.Key, tool.Value))]);

    /// <summary>The part, and where several calls are allowed more of them behind the separator.</summary>
    public GrammarPart Several(GrammarPart call, string separator) => !IsMultiple ? call
        : Join(call, GrammarPart.Repeat(separator.Length == 0 ? call : Join(Text(separator), call), 0));

    /// <summary>A function's arguments as one JSON object.</summary>
    public static GrammarPart Arguments(JsonElement schema) =>
        OrderedJson.Of(schema.ValueKind == JsonValueKind.Object && schema.EnumerateObject().Any() ? schema : AnyObject);

    /// <summary>Any value under a schema, as JSON.</summary>
    public static GrammarPart Value(JsonElement schema) => OrderedJson.Of(schema);

    /// <summary>Text of a schema's length and pattern. Where it is free, the beginning of a closing tag does not come in it.</summary>
    /// <param name="schema">Of a text.</param>
    /// <param name="free">What text may be of which the schema says nothing.</param>
    public static GrammarPart Bare(JsonElement schema, string free = "(?:[^<]|<+[^/<])*")
    {
        if (schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("pattern", out var pattern) && pattern.ValueKind == JsonValueKind.String)
        {
            // Schemas search for it anywhere; the common one is tied to both ends.
            var text = pattern.GetString()!;
            var (isStart, isEnd) = (text.StartsWith('^'), text.EndsWith('$') && !text.EndsWith("\\$", StringComparison.Ordinal));
            if (!text.Contains('|', StringComparison.Ordinal) || (!isStart && !isEnd))
            {
                return GrammarPart.Regex((isStart ? "" : "[^<]*") + "(?:" + text[(isStart ? 1 : 0)..(isEnd ? ^1 : ^0)] + ")" + (isEnd ? "" : "[^<]*"));
            }
        }

        var (min, max) = (Length(schema, "minLength") ?? 0, Length(schema, "maxLength"));
        return GrammarPart.Regex(min == 0 && max is null ? free : string.Create(CultureInfo.InvariantCulture, $"[^<]{{{min},{max}}}"));
    }

    /// <summary>A limit that the schema sets; null where it sets none.</summary>
    public static int? Length(JsonElement schema, string name) =>
        schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var length) && length >= 0 ? length : null;

    /// <summary>The properties that a schema names, and whether they must be there.</summary>
    public static List<(string Name, JsonElement Schema, bool IsRequired)> Properties(JsonElement schema)
    {
        if (schema.ValueKind != JsonValueKind.Object || !schema.TryGetProperty("properties", out var properties) || properties.ValueKind != JsonValueKind.Object)
        {
            return [];
        }

        var required = schema.TryGetProperty("required", out var names) && names.ValueKind == JsonValueKind.Array
            ? names.EnumerateArray().Where(n => n.ValueKind == JsonValueKind.String).Select(n => n.GetString()!).ToHashSet(StringComparer.Ordinal)
            : [];
        // Between tags a name is letters, digits and three signs; one of other characters could not be told from the tags.
        return [.. properties.EnumerateObject().Where(p => p.Name.Length > 0 && p.Name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.')).Select(p => (p.Name, Resolved(p.Value, schema), required.Contains(p.Name)))];
    }

    /// <summary>Each property at most once, in order, those that are required always.</summary>
    public static GrammarPart EachProperty(JsonElement schema, Func<string, JsonElement, GrammarPart> property) =>
        Join([.. Properties(schema).Select(p => p.IsRequired ? property(p.Name, p.Schema) : GrammarPart.Repeat(property(p.Name, p.Schema), 0, 1))]);

    /// <summary>As <see cref="EachProperty"/>, with a separator between those that are there.</summary>
    public static GrammarPart Separated(JsonElement schema, string separator, Func<string, JsonElement, GrammarPart> property)
    {
        var properties = Properties(schema);

        // From the end: what may follow when something was written before, and when nothing was.
        var (later, first) = (GrammarPart.Text(""), GrammarPart.Text(""));
        for (var i = properties.Count - 1; i >= 0; i--)
        {
            var (name, type, isRequired) = properties[i];
            var here = property(name, type);
            var (goesOn, begins) = (Join(Text(separator), here, later), Join(here, later));
            (later, first) = isRequired ? (goesOn, begins) : (Choose([goesOn, later]), Choose([begins, first]));
        }

        return first;
    }

    /// <summary>A value that a format writes as bare words where it is text, and as JSON where it is not.</summary>
    public static GrammarPart BareValue(JsonElement schema)
    {
        if (Words(schema) is { } words)
        {
            return Choose([.. words.Select(Text)]);
        }

        return IsText(schema) ? Bare(schema) : Value(schema);
    }

    /// <summary>The texts of an enumeration of texts; null where it is none.</summary>
    public static List<string>? Words(JsonElement schema) =>
        schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("enum", out var values) && values.ValueKind == JsonValueKind.Array && values.GetArrayLength() > 0
        && values.EnumerateArray().All(v => v.ValueKind == JsonValueKind.String)
            ? [.. values.EnumerateArray().Select(v => v.GetString()!)]
            : null;

    public static bool IsText(JsonElement schema) => schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("type", out var type)
        && (type.ValueKind == JsonValueKind.String ? type.ValueEquals("string")
            : type.ValueKind == JsonValueKind.Array && type.EnumerateArray().All(t => t.ValueKind == JsonValueKind.String && t.ValueEquals("string")));

    public static string TypeOf(JsonElement schema) =>
        schema.ValueKind == JsonValueKind.Object && schema.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String ? type.GetString()! : "";

    public static GrammarPart Choose(IReadOnlyList<GrammarPart> parts) => parts.Count == 1 ? parts[0] : GrammarPart.Choice(parts);

    public static GrammarPart JsonText() => GrammarPart.Json(AnyText, Compact);

    public static GrammarPart JsonScalar() => GrammarPart.Json(AnyNumber, Compact);

    /// <summary>A regular expression for exactly this text.</summary>
    public static string Escape(string text)
    {
        var escaped = new StringBuilder();
        foreach (var c in text)
        {
            escaped.Append(char.IsAsciiLetterOrDigit(c) ? c.ToString() : string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"));
        }

        return escaped.ToString();
    }

    /// <summary>Any text that does not begin with these letters; it may end anywhere.</summary>
    public static GrammarPart NotBeginning(string prefix)
    {
        var parts = new List<string>();
        for (var i = 0; i < prefix.Length; i++)
        {
            parts.Add(Escape(prefix[..i]) + "(?:[^" + Escape(prefix[i..(i + 1)]) + "][\\s\\S]*)?");
        }

        return GrammarPart.Regex(string.Join('|', parts));
    }

    /// <summary>A property that refers to a definition of its schema takes it along.</summary>
    public static JsonElement Resolved(JsonElement property, JsonElement root)
    {
        if (!property.GetRawText().Contains("\"$ref\"", StringComparison.Ordinal))
        {
            return property;
        }

        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            foreach (var name in new[] { "$defs", "definitions" })
            {
                if (root.TryGetProperty(name, out var definitions))
                {
                    json.WritePropertyName(name);
                    definitions.WriteTo(json);
                }
            }

            json.WritePropertyName("allOf");
            json.WriteStartArray();
            property.WriteTo(json);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Parse(Encoding.UTF8.GetString(buffer.ToArray()));
    }

    private static JsonElement Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
