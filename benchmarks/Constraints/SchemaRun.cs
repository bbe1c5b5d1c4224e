using System.Diagnostics;
using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Benchmarks.Constraints;

/// <summary>One schema with its instances.</summary>
/// <param name="Error">Code and sentence where it was refused.</param>
/// <param name="WronglyAccepted">Indices of instances that are not valid and were accepted.</param>
/// <param name="WronglyRefused">Indices of instances that are valid and were not.</param>
/// <param name="Masks">Microseconds of every mask.</param>
internal sealed record SchemaRun(string Name, int Bytes, string? Error, double CompileMs, long Memory, List<int> WronglyAccepted, List<int> WronglyRefused, List<double> Masks)
{
    public static SchemaRun Measure(JsonElement line, Tokenizer tokenizer, int rounds)
    {
        var schema = line.GetProperty("schema");
        var name = line.GetProperty("name").GetString()!;
        var size = schema.GetRawText().Length;
        var compile = double.MaxValue;
        var masks = new List<double>();
        List<int> accepted = [], refused = [];
        var memory = 0L;
        var tests = line.GetProperty("tests").EnumerateArray().Select(t => (Ids: tokenizer.Encode(t.GetProperty("text").GetString()!), Valid: t.GetProperty("valid").GetBoolean())).ToArray();
        for (var round = 0; round < rounds; round++)
        {
            try
            {
                var start = Stopwatch.GetTimestamp();
                var grammar = Grammar.FromJsonSchema(schema);
                compile = Math.Min(compile, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                var at = 0;
                for (var i = 0; i < tests.Length; i++)
                {
                    var valid = Follow(grammar, tokenizer, tests[i].Ids, masks, ref at);
                    if (round == 0 && valid != tests[i].Valid)
                    {
                        (valid ? accepted : refused).Add(i);
                    }
                }

                memory = Math.Max(memory, grammar.Bytes);
            }
            catch (GrammarException e)
            {
                return new SchemaRun(name, size, $"{e.Code}: {e.Message}", compile == double.MaxValue ? 0 : compile, 0, [], [], masks);
            }
        }

        return new SchemaRun(name, size, null, compile, memory, accepted, refused, masks);
    }

    public static void WarmUp(Tokenizer tokenizer)
    {
        const string schema = """
            {"schema":{"type":"object","properties":{"name":{"type":"string","maxLength":20},"age":{"type":"integer","minimum":0},"kind":{"enum":["a","bc"]},"when":{"format":"date-time","type":"string"},
            "tags":{"type":"array","uniqueItems":true,"items":{"anyOf":[{"type":"string","pattern":"^[a-z ]+$"},{"type":"object","properties":{"x":{"type":"number"}},"additionalProperties":false}]}}},"patternProperties":{"^x-":{"type":"boolean"}},"required":["name"]},
            "name":"","tests":[{"valid":true,"text":"{\"name\": \"Ada\", \"age\": 36, \"kind\": \"bc\", \"when\": \"2026-11-21T10:00:00Z\", \"tags\": [\"one two\", {\"x\": -1.5}, {\"x\": 2}], \"x-y\": true, \"more\": [1, null, {\"a\": \"b\"}]}"}]}
            """;
        using var json = JsonDocument.Parse(schema);
        _ = Measure(json.RootElement, tokenizer, 60);
    }

    private static bool Follow(Grammar grammar, Tokenizer tokenizer, int[] ids, List<double> masks, ref int at)
    {
        var state = grammar.Start(tokenizer);
        var mask = new uint[state.MaskWords];
        foreach (var id in ids)
        {
            Mask(state, mask, masks, ref at);
            if (((mask[id >> 5] >> id) & 1) == 0 || !state.Advance(id))
            {
                return false;
            }
        }

        Mask(state, mask, masks, ref at);
        return state.CanEnd;
    }

    private static void Mask(ConstraintState state, uint[] mask, List<double> masks, ref int at)
    {
        var start = Stopwatch.GetTimestamp();
        state.ComputeMask(mask);
        var elapsed = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        if (at == masks.Count)
        {
            masks.Add(elapsed);
        }
        else
        {
            masks[at] = Math.Min(masks[at], elapsed);
        }

        at++;
    }
}
