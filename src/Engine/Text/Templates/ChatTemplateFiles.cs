using System.Text;
using System.Text.Json;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Finds a model folder's templates and special tokens, in transformers' order.</summary>
internal sealed record ChatTemplateFiles(string Default, string? ToolUse, IReadOnlyDictionary<string, string> SpecialTokens)
{
    private const string TemplateFile = "chat_template.jinja";
    private const string AdditionalFolder = "additional_chat_templates";
    private const string ConfigFile = "tokenizer_config.json";
    private const string TokensFile = "special_tokens_map.json";
    private const string DefaultName = "default";
    private const string ToolUseName = "tool_use";

    // UTF-8 takes at most three bytes for a UTF-16 unit.
    private const long MaxTemplateBytes = 3L * Budget.Source;
    private const long MaxConfigBytes = 64L << 20;

    private static readonly string[] TokenNames = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    /// <summary>Null where the folder has no template.</summary>
    public static ChatTemplateFiles? Read(string folder)
    {
        using var config = ReadJson(Path.Combine(folder, ConfigFile));
        var templates = FromFiles(folder);
        if (templates.Count == 0 && config is not null)
        {
            templates = FromConfig(config.RootElement);
        }

        if (templates.Count == 0)
        {
            return null;
        }

        if (!templates.TryGetValue(DefaultName, out var source))
        {
            var names = string.Join(", ", templates.Keys.Order(StringComparer.Ordinal).Take(20).Select(Shorten.Text));
            throw new ChatTemplateException(ChatTemplateError.Unsupported, $"{ConfigFile}: of the chat templates ({names}) none is called '{DefaultName}'");
        }

        using var tokens = ReadJson(Path.Combine(folder, TokensFile));
        return new ChatTemplateFiles(source, templates.GetValueOrDefault(ToolUseName), SpecialTokensOf(config, tokens));
    }

    private static Dictionary<string, string> FromFiles(string folder)
    {
        var templates = new Dictionary<string, string>(StringComparer.Ordinal);
        if (ReadText(Path.Combine(folder, TemplateFile), MaxTemplateBytes) is { } source)
        {
            templates[DefaultName] = source;
            var toolUse = Path.Combine(folder, AdditionalFolder, ToolUseName + ".jinja");
            if (ReadText(toolUse, MaxTemplateBytes) is { } other)
            {
                templates[ToolUseName] = other;
            }
        }

        return templates;
    }

    private static Dictionary<string, string> FromConfig(JsonElement config)
    {
        var templates = new Dictionary<string, string>(StringComparer.Ordinal);
        if (!config.TryGetProperty("chat_template", out var entry))
        {
            return templates;
        }

        switch (entry.ValueKind)
        {
            case JsonValueKind.Null:
                break;
            case JsonValueKind.String:
                templates[DefaultName] = Text(entry);
                break;
            case JsonValueKind.Array:
                foreach (var item in entry.EnumerateArray())
                {
                    if (item.ValueKind != JsonValueKind.Object || !item.TryGetProperty("name", out var name) || name.ValueKind != JsonValueKind.String
                        || !item.TryGetProperty("template", out var template) || template.ValueKind != JsonValueKind.String)
                    {
                        throw Malformed("every entry of a list chat_template needs the strings name and template");
                    }

                    templates[Text(name)] = Text(template);
                }

                break;
            case JsonValueKind.Object:
                foreach (var item in entry.EnumerateObject())
                {
                    templates[item.Name] = item.Value.ValueKind == JsonValueKind.String ? Text(item.Value) : throw Malformed("chat_template maps a name to something that is no string");
                }

                break;
            default:
                throw Malformed("chat_template is neither a string nor a list");
        }

        return templates;
    }

    private static Dictionary<string, string> SpecialTokensOf(JsonDocument? config, JsonDocument? tokens)
    {
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var document in (JsonDocument?[])[tokens, config])
        {
            if (document is null)
            {
                continue;
            }

            // tokenizer_config.json comes last and wins.
            foreach (var name in TokenNames)
            {
                Add(found, name, document.RootElement);
            }

            if (document.RootElement.TryGetProperty("extra_special_tokens", out var extra) && extra.ValueKind == JsonValueKind.Object)
            {
                foreach (var token in extra.EnumerateObject())
                {
                    Add(found, token.Name, extra);
                }
            }
        }

        return found;
    }

    // A token is a string, or an object with its text in "content".
    private static void Add(Dictionary<string, string> found, string name, JsonElement owner)
    {
        if (!owner.TryGetProperty(name, out var token))
        {
            return;
        }

        if (token.ValueKind == JsonValueKind.Object && token.TryGetProperty("content", out var content))
        {
            token = content;
        }

        if (token.ValueKind == JsonValueKind.String)
        {
            found[name] = Text(token);
        }
    }

    private static string Text(JsonElement element)
    {
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new ChatTemplateException(ChatTemplateError.Syntax, $"{ConfigFile}: a string of the chat template is no valid text", inner: e);
        }
    }

    private static JsonDocument? ReadJson(string path)
    {
        if (ReadText(path, MaxConfigBytes) is not { } text)
        {
            return null;
        }

        var file = Path.GetFileName(path);
        try
        {
            var document = JsonDocument.Parse(text);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
        }
        catch (JsonException e)
        {
            throw new ChatTemplateException(ChatTemplateError.Syntax, $"{file}: not valid JSON at line {e.LineNumber + 1}", inner: e);
        }

        throw new ChatTemplateException(ChatTemplateError.Syntax, $"{file}: not a JSON object");
    }

    private static string? ReadText(string path, long limit)
    {
        var file = Path.GetFileName(path);
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            if (stream.Length > limit)
            {
                throw new ChatTemplateException(ChatTemplateError.Limit, $"{file}: limit exceeded: {stream.Length} bytes; the limit is {limit}");
            }

            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            ReadOnlySpan<byte> text = bytes;
            return new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(text.StartsWith("\uFEFF"u8) ? text[3..] : text);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (DecoderFallbackException e)
        {
            throw new ChatTemplateException(ChatTemplateError.Syntax, $"{file}: not valid UTF-8 at byte {e.Index}", inner: e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ChatTemplateException(ChatTemplateError.Syntax, $"{file}: cannot be read: {e.GetType().Name}", inner: e);
        }
    }

    private static ChatTemplateException Malformed(string message) => new(ChatTemplateError.Syntax, $"{ConfigFile}: {message}");
}
