using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using KvPrefetch.AI.ToolCalls;

namespace KvPrefetch.Tests.Provider.ToolCalls;

/// <summary>Feeds answers to readers and writes down what comes out.</summary>
internal static class Answers
{
    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static ToolSet Tools { get; } = new(new Dictionary<string, JsonElement>(StringComparer.Ordinal)
    {
        ["get_weather"] = JsonDocument.Parse("""{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"},"nested":{"type":"object"},"tags":{"type":"array"},"zip":{"type":"string"}}}""").RootElement,
        ["now"] = JsonDocument.Parse("""{"type":"object","properties":{}}""").RootElement,
        ["search-notes"] = JsonDocument.Parse("""{"type":"object","properties":{"query":{"type":"string"}}}""").RootElement,
    });

    /// <summary>A reader for a template, by letters alone.</summary>
    public static Func<AnswerReader> Reader(string template, string tail = "", bool readsCalls = true) =>
        () => AnswerFormat.Of(template, Templates.Tokenizer).CreateReader(Tools, readsCalls, inSection: false, tail);

    /// <summary>What the reader makes of the pieces: reasoning in {}, text as it is, calls as name(JSON), what is broken in !!.</summary>
    public static string Read(AnswerReader reader, IEnumerable<string> pieces, bool isWhole = true)
    {
        var parts = new List<AnswerPart>();
        foreach (var piece in pieces)
        {
            reader.Append(piece, parts);
        }

        reader.End(isWhole, parts);
        return Written(parts);
    }

    public static string Written(List<AnswerPart> parts)
    {
        var written = new StringBuilder();
        var last = AnswerPartKind.Text;
        foreach (var part in parts)
        {
            if (last == AnswerPartKind.Reasoning && part.Kind != AnswerPartKind.Reasoning)
            {
                written.Append('}');
            }

            if (part.Kind == AnswerPartKind.Reasoning && last != AnswerPartKind.Reasoning)
            {
                written.Append('{');
            }

            written.Append(part.Kind switch
            {
                AnswerPartKind.Call => Call(part.Call!),
                AnswerPartKind.Malformed => "!" + part.Text + "!",
                _ => part.Text,
            });
            last = part.Kind;
        }

        return written.Append(last == AnswerPartKind.Reasoning ? "}" : "").ToString();
    }

    private static string Call(ToolCall call) => "<" + call.Name + (call.Error is not null ? " broken" : JsonSerializer.Serialize(call.Arguments, Relaxed)) + ">";
}
