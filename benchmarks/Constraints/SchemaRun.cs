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
/// <param name="Texts">The instances as tokens: masks are one before each token of each, and one behind, as far as the instance is taken.</param>
internal sealed record SchemaRun(string Name, int Bytes, string? Error, double CompileMs, long Memory, List<int> WronglyAccepted, List<int> WronglyRefused, List<double> Masks, int[][] Texts)
{
    public static SchemaRun Measure(JsonElement line, Tokenizer tokenizer)
    {
        var schema = line.GetProperty("schema");
        var name = line.GetProperty("name").GetString()!;
        var size = schema.GetRawText().Length;
        var masks = new List<double>();
        List<int> accepted = [], refused = [];
        List<int[]> texts = [];
        var tests = line.GetProperty("tests").EnumerateArray().Select(t => (Ids: tokenizer.Encode(t.GetProperty("text").GetString()!), Valid: t.GetProperty("valid").GetBoolean())).ToArray();
        try
        {
            var start = Clock.Now();
            var grammar = Grammar.FromJsonSchema(schema);
            var compile = (Clock.Now() - start) / 1000;
            for (var i = 0; i < tests.Length; i++)
            {
                var before = masks.Count;
                var valid = Follow(grammar, tokenizer, tests[i].Ids, masks);
                texts.Add(tests[i].Ids[..(masks.Count - before - 1)]);
                if (valid != tests[i].Valid)
                {
                    (valid ? accepted : refused).Add(i);
                }
            }

            return new SchemaRun(name, size, null, compile, grammar.Bytes, accepted, refused, masks, [.. texts]);
        }
        catch (GrammarException e)
        {
            return new SchemaRun(name, size, $"{e.Code}: {e.Message}", 0, 0, [], [], masks, []);
        }
    }

    /// <summary>The best of two rounds, time by time.</summary>
    public SchemaRun Best(SchemaRun other) => this with { CompileMs = Math.Min(CompileMs, other.CompileMs), Masks = [.. Masks.Zip(other.Masks, Math.Min)] };

    public static void WarmUp(Tokenizer tokenizer)
    {
        const string schema = """
            {"schema":{"type":"object","properties":{"name":{"type":"string","maxLength":20},"age":{"type":"integer","minimum":0},"kind":{"enum":["a","bc"]},"when":{"format":"date-time","type":"string"},
            "tags":{"type":"array","uniqueItems":true,"items":{"anyOf":[{"type":"string","pattern":"^[a-z ]+$"},{"type":"object","properties":{"x":{"type":"number"}},"additionalProperties":false}]}}},"patternProperties":{"^x-":{"type":"boolean"}},"required":["name"]},
            "name":"","tests":[{"valid":true,"text":"{\"name\": \"Ada\", \"age\": 36, \"kind\": \"bc\", \"when\": \"2026-11-21T10:00:00Z\", \"tags\": [\"one two\", {\"x\": -1.5}, {\"x\": 2}], \"x-y\": true, \"more\": [1, null, {\"a\": \"b\"}]}"}]}
            """;
        using var json = JsonDocument.Parse(schema);
        for (var i = 0; i < 60; i++)
        {
            _ = Measure(json.RootElement, tokenizer);
        }
    }

    private static bool Follow(Grammar grammar, Tokenizer tokenizer, int[] ids, List<double> masks)
    {
        var state = grammar.Start(tokenizer);
        var mask = new uint[state.MaskWords];
        foreach (var id in ids)
        {
            Mask(state, mask, masks);
            if (((mask[id >> 5] >> id) & 1) == 0 || !state.Advance(id))
            {
                return false;
            }
        }

        Mask(state, mask, masks);
        return state.CanEnd;
    }

    private static void Mask(ConstraintState state, uint[] mask, List<double> masks)
    {
        var start = Clock.Now();
        state.ComputeMask(mask);
        masks.Add(Clock.Now() - start);
    }
}
