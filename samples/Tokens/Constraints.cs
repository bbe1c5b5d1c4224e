using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Samples.Tokens;

/// <summary>Follows texts under JSON schemas and regular expressions, token by token, and says which are accepted and how long masks took.</summary>
internal static class Constraints
{
    private const int WarmUps = 40;
    private static readonly JsonWriterOptions s_options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>One JSON object a line in, one out; a line that cannot be used gives an error and nothing else stops.</summary>
    /// <param name="tokenizer">Whose tokens.</param>
    /// <param name="masks">Writes the allowed ids of each step, as a hash.</param>
    /// <param name="input">Lines <c>{"schema": ...}</c> or <c>{"regex": ...}</c> with <c>"texts": [...]</c>.</param>
    /// <param name="output">A line for each.</param>
    public static void Run(Tokenizer tokenizer, bool masks, Stream input, Stream output)
    {
        WarmUp(tokenizer);
        using var reader = new StreamReader(input, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        using var buffered = new BufferedStream(output, 1 << 16);
        using var writer = new Utf8JsonWriter(buffered, s_options);
        while (reader.ReadLine() is { } line)
        {
            if (line.Length == 0)
            {
                continue;
            }

            writer.WriteStartObject();
            try
            {
                using var json = JsonDocument.Parse(line, new JsonDocumentOptions { MaxDepth = 256 });
                Answer(tokenizer, json.RootElement, masks, writer);
            }
            catch (JsonException e)
            {
                WriteError(writer, "InvalidJson: " + e.Message, 0);
            }

            writer.WriteEndObject();
            writer.Flush();
            writer.Reset();
            buffered.WriteByte((byte)'\n');
            // Whoever writes lines may wait for the answer to each.
            buffered.Flush();
        }
    }

    /// <summary>The first calls of a program are slow because its code is still being compiled; that is not what is measured.</summary>
    private static void WarmUp(Tokenizer tokenizer)
    {
        const string schema = """
            {"type":"object","properties":{"name":{"type":"string","maxLength":20},"age":{"type":"integer","minimum":0},"kind":{"enum":["a","bc"]},"when":{"format":"date-time","type":"string"},
            "tags":{"type":"array","items":{"anyOf":[{"type":"string","pattern":"^[a-z ]+$"},{"type":"object","properties":{"x":{"type":"number"}},"additionalProperties":false}]}}},"patternProperties":{"^x-":{"type":"boolean"}},"required":["name"]}
            """;
        const string text = """{"name": "Ada", "age": 36, "kind": "bc", "when": "2026-11-21T10:00:00Z", "tags": ["one two", {"x": -1.5}, {"x": 2}], "x-y": true, "more": [1, null, {"a": "b"}]}""";
        for (var i = 0; i < WarmUps; i++)
        {
            using var json = JsonDocument.Parse(schema);
            Follow(Grammar.FromJsonSchema(json.RootElement), tokenizer, text, masks: false);
        }
    }

    private static void Answer(Tokenizer tokenizer, JsonElement request, bool masks, Utf8JsonWriter writer)
    {
        Grammar grammar;
        var start = Stopwatch.GetTimestamp();
        try
        {
            grammar = request.TryGetProperty("regex", out var regex) ? Grammar.FromRegex(regex.GetString() ?? "")
                : request.TryGetProperty("schema", out var schema) ? Grammar.FromJsonSchema(schema)
                : throw new JsonException("A line has \"schema\" or \"regex\".");
        }
        catch (GrammarException e)
        {
            WriteError(writer, $"{e.Code}: {e.Message}", Microseconds(start));
            return;
        }

        var compiled = Microseconds(start);
        List<Result> results = [];
        string? error = null;
        if (request.TryGetProperty("texts", out var texts))
        {
            foreach (var text in texts.EnumerateArray())
            {
                try
                {
                    results.Add(Follow(grammar, tokenizer, text.GetString() ?? "", masks));
                }
                catch (GrammarException e)
                {
                    error = $"{e.Code}: {e.Message}";
                }
            }
        }

        if (error is not null)
        {
            WriteError(writer, error, compiled);
            return;
        }

        writer.WriteNull("error");
        writer.WriteNumber("compileUs", compiled);
        writer.WriteNumber("bytes", grammar.Bytes);
        writer.WriteStartArray("results");
        foreach (var result in results)
        {
            result.Write(writer, masks);
        }

        writer.WriteEndArray();
    }

    private static Result Follow(Grammar grammar, Tokenizer tokenizer, string text, bool masks)
    {
        var ids = tokenizer.Encode(text);
        var state = grammar.Start(tokenizer);
        var mask = new uint[state.MaskWords];
        var times = new List<double>(ids.Length + 1);
        List<Step> steps = [];
        var accepted = true;
        foreach (var id in ids)
        {
            Measure(state, mask, times);
            if (masks)
            {
                steps.Add(Step.Of(state.CanEnd, mask));
            }

            accepted = ((mask[id >> 5] >> id) & 1) != 0 && state.Advance(id);
            if (!accepted)
            {
                break;
            }
        }

        if (accepted)
        {
            Measure(state, mask, times);
            if (masks)
            {
                steps.Add(Step.Of(state.CanEnd, mask));
            }
        }

        return new Result(accepted && state.CanEnd, ids.Length, times, steps);
    }

    private static void Measure(ConstraintState state, uint[] mask, List<double> times)
    {
        var start = Stopwatch.GetTimestamp();
        state.ComputeMask(mask);
        times.Add(Microseconds(start));
    }

    private static double Microseconds(long start) => Math.Round(Stopwatch.GetElapsedTime(start).TotalMicroseconds, 1);

    private static void WriteError(Utf8JsonWriter writer, string error, double compileUs)
    {
        writer.WriteString("error", error);
        writer.WriteNumber("compileUs", compileUs);
        writer.WriteStartArray("results");
        writer.WriteEndArray();
    }

    private sealed record Result(bool Accepted, int Tokens, List<double> Times, List<Step> Steps)
    {
        public void Write(Utf8JsonWriter writer, bool masks)
        {
            writer.WriteStartObject();
            writer.WriteBoolean("accepted", Accepted);
            writer.WriteNumber("tokens", Tokens);
            writer.WriteNumber("maskUs", Times.Count == 0 ? 0 : Math.Round(Times.Average(), 2));
            writer.WriteNumber("maxMaskUs", Times.Count == 0 ? 0 : Times.Max());
            if (masks)
            {
                writer.WriteStartArray("steps");
                foreach (var step in Steps)
                {
                    writer.WriteStartObject();
                    writer.WriteBoolean("end", step.End);
                    writer.WriteNumber("count", step.Count);
                    writer.WriteString("sha256", step.Hash);
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
            }

            writer.WriteEndObject();
        }
    }

    private sealed record Step(bool End, int Count, string Hash)
    {
        public static Step Of(bool end, uint[] mask)
        {
            var count = mask.Sum(static word => BitOperations.PopCount(word));
            var bytes = new byte[4 * count];
            var at = 0;
            for (var i = 0; i < mask.Length; i++)
            {
                for (var word = mask[i]; word != 0; word &= word - 1)
                {
                    BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), (i << 5) | BitOperations.TrailingZeroCount(word));
                    at += 4;
                }
            }

            return new Step(end, count, Convert.ToHexStringLower(SHA256.HashData(bytes)));
        }
    }
}
