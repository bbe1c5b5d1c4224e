using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Samples.Tokens;

/// <summary>One JSON object a line in, one out.</summary>
internal static class Jsonl
{
    private static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Run(Tokenizer tokenizer, Stream input, Stream output)
    {
        using var reader = new StreamReader(input, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        using var buffered = new BufferedStream(output, 1 << 16);
        using var writer = new Utf8JsonWriter(buffered, s_options);
        while (reader.ReadLine() is { } line)
        {
            if (line.Length == 0)
            {
                continue;
            }

            var text = TextOf(line);
            var ids = tokenizer.Encode(text);
            writer.WriteStartObject();
            WriteIds(writer, "ids", ids);
            WriteIds(writer, "with_special", tokenizer.Encode(text, addSpecialTokens: true));
            writer.WriteString("decoded", tokenizer.Decode(ids));
            writer.WriteEndObject();
            writer.Flush();
            writer.Reset();
            buffered.WriteByte((byte)'\n');
            // Whoever writes lines may wait for the answer to each.
            buffered.Flush();
        }
    }

    private static void WriteIds(Utf8JsonWriter writer, string name, int[] ids)
    {
        writer.WriteStartArray(name);
        foreach (var id in ids)
        {
            writer.WriteNumberValue(id);
        }

        writer.WriteEndArray();
    }

    /// <summary>The field <c>text</c>. A lone surrogate, which JSON can spell as an escape but .NET's parser refuses, counts as U+FFFD.</summary>
    private static string TextOf(string line)
    {
        using var json = JsonDocument.Parse(line);
        var value = json.RootElement.GetProperty("text");
        try
        {
            return value.GetString() ?? "";
        }
        catch (InvalidOperationException)
        {
            return Unescape(value.GetRawText().AsSpan()[1..^1]);
        }
    }

    private static string Unescape(ReadOnlySpan<char> raw)
    {
        var text = new StringBuilder(raw.Length);
        for (var i = 0; i < raw.Length; i++)
        {
            if (raw[i] != '\\')
            {
                text.Append(raw[i]);
                continue;
            }

            var escape = raw[++i];
            text.Append(escape switch
            {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\b',
                'f' => '\f',
                'u' => (char)Convert.ToInt32(raw.Slice(i + 1, 4).ToString(), 16),
                _ => escape,
            });
            i += escape == 'u' ? 4 : 0;
        }

        return text.ToString();
    }
}
