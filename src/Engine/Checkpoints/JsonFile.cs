using System.Text.Json;
using System.Text.Unicode;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>Reads a JSON file of a model folder strictly: an object, at most 64 deep, every key once per object, every string real text.
/// Two liberties, because Python's writer takes them: a byte order mark is skipped, and the bare words NaN, Infinity and -Infinity become
/// <c>{"__float__": "NaN"}</c> and so on, which is how newer transformers write them.</summary>
internal static class JsonFile
{
    private const int MaxDepth = 64;

    /// <summary>The root object, detached from the bytes. Throws <see cref="ModelFormatException"/> with code <c>NotUtf8</c>, <c>NotJson</c>, <c>NotObject</c> or <c>DuplicateField</c>.</summary>
    public static JsonElement Parse(ReadOnlySpan<byte> bytes, string file)
    {
        var text = ModelFolder.WithoutMark(bytes);
        if (!Utf8.IsValid(text))
        {
            throw new ModelFormatException("NotUtf8", $"{file} is not UTF-8.", file);
        }

        try
        {
            using var document = JsonDocument.Parse(FloatWords.Replace(text), new JsonDocumentOptions { MaxDepth = MaxDepth });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new ModelFormatException("NotObject", $"{file} is not a JSON object.", file);
            }

            Check(document.RootElement, file, "");
            return document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw new ModelFormatException("NotJson", $"{file} is not JSON (line {e.LineNumber + 1}, byte {e.BytePositionInLine}), or nested more than {MaxDepth} deep.", file, inner: e);
        }
        catch (InvalidOperationException e)
        {
            throw new ModelFormatException("NotJson", $"{file} contains half a surrogate pair.", file, inner: e);
        }
    }

    /// <summary>The reader's depth limit bounds this recursion. Reading every string once here means that no later read can fail.</summary>
    private static void Check(JsonElement element, string file, string path)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                _ = element.GetString();
                break;
            case JsonValueKind.Array:
                foreach (var item in element.EnumerateArray())
                {
                    Check(item, file, path);
                }

                break;
            case JsonValueKind.Object:
                var names = new HashSet<string>(StringComparer.Ordinal);
                foreach (var property in element.EnumerateObject())
                {
                    if (!names.Add(property.Name))
                    {
                        throw new ModelFormatException("DuplicateField", $"{file}: {(path.Length == 0 ? "the file" : Excerpt.Of(path))} has the field {Excerpt.Of(property.Name)} twice.", file, property.Name);
                    }

                    Check(property.Value, file, property.Name);
                }

                break;
        }
    }
}

/// <summary>Bare NaN and Infinity, which Python writes and JSON does not know.</summary>
internal static class FloatWords
{
    public static ReadOnlyMemory<byte> Replace(ReadOnlySpan<byte> json)
    {
        if (json.IndexOf("NaN"u8) < 0 && json.IndexOf("Infinity"u8) < 0)
        {
            return json.ToArray();
        }

        var result = new MemoryStream(json.Length + 64);
        var inString = false;
        for (var i = 0; i < json.Length; i++)
        {
            var c = json[i];
            if (!inString && Word(json[i..]) is { Length: > 0 } word)
            {
                result.Write("{\"__float__\":\""u8);
                result.Write(word);
                result.Write("\"}"u8);
                i += word.Length - 1;
                continue;
            }

            result.WriteByte(c);
            if (c == '"')
            {
                inString = !inString;
            }
            else if (c == '\\' && inString && i + 1 < json.Length)
            {
                result.WriteByte(json[++i]);
            }
        }

        return result.ToArray();
    }

    private static ReadOnlySpan<byte> Word(ReadOnlySpan<byte> at) =>
        at.StartsWith("NaN"u8) ? at[..3] : at.StartsWith("Infinity"u8) ? at[..8] : at.StartsWith("-Infinity"u8) ? at[..9] : default;
}
