using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text;
using KvPrefetch.Engine.Text.Templates;

namespace KvPrefetch.Samples.Tokens;

/// <summary>Renders conversations with a chat template, all of a file at once or one from standard input.</summary>
internal static class Conversations
{
    private static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes one object with, for each conversation, <c>{"text": ...}</c>, or <c>{"error": ...}</c> where the template refuses it.</summary>
    /// <param name="templateFile">Jinja source.</param>
    /// <param name="conversationsFile"><c>{"special_tokens": {...}, "conversations": {name: {messages, tools, add_generation_prompt, kwargs}}}</c></param>
    /// <param name="clock">What <c>strftime_now</c> tells.</param>
    /// <param name="output">Where the object goes.</param>
    public static void Run(string templateFile, string conversationsFile, TimeProvider? clock, Stream output)
    {
        var root = JsonNode.Parse(File.ReadAllText(conversationsFile)) as JsonObject ?? throw new JsonException($"{conversationsFile} is not a JSON object.");
        var special = (root["special_tokens"] as JsonObject)?.ToDictionary(p => p.Key, p => (string?)p.Value ?? "", StringComparer.Ordinal);
        var template = ChatTemplate.Parse(File.ReadAllText(templateFile), special);
        using var writer = new Utf8JsonWriter(output, s_options);
        writer.WriteStartObject();
        foreach (var (name, conversation) in root["conversations"] as JsonObject ?? [])
        {
            writer.WriteStartObject(name);
            try
            {
                writer.WriteString("text", string.Concat(Render(template, conversation as JsonObject ?? [], clock).Select(s => s.Text)));
            }
            catch (ChatTemplateException e)
            {
                writer.WriteString("error", e.Message);
            }

            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }

    /// <summary>The prompt of one conversation.</summary>
    public static IReadOnlyList<TextSpan> Render(ChatTemplate template, JsonObject conversation, TimeProvider? clock) =>
        template.Render(conversation["messages"] as JsonArray ?? [], new ChatTemplateOptions
        {
            Tools = conversation["tools"] as JsonArray,
            AddGenerationPrompt = (bool?)conversation["add_generation_prompt"] ?? true,
            Variables = conversation["kwargs"] as JsonObject,
            Clock = clock,
        });

    /// <summary>A conversation with one message of a user, or the one that the reader holds.</summary>
    public static JsonObject Read(string? message, TextReader reader) => message is not null
        ? new JsonObject { ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = message }) }
        : JsonNode.Parse(reader.ReadToEnd()) switch
        {
            JsonObject conversation => conversation,
            JsonArray messages => new JsonObject { ["messages"] = messages },
            _ => throw new JsonException("A conversation is an object with messages, or an array of them."),
        };

    /// <summary>A clock that stands still; null for no text.</summary>
    /// <exception cref="FormatException">The text is not a date and time.</exception>
    public static TimeProvider? ClockAt(string? now) => now is null ? null : new StoppedClock(DateTime.Parse(now, CultureInfo.InvariantCulture));

    private sealed class StoppedClock(DateTime now) : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

        public override DateTimeOffset GetUtcNow() => new(now, TimeSpan.Zero);
    }
}
