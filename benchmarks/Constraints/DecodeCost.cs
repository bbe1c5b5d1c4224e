using System.Globalization;
using System.Text;
using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.Benchmarks.Constraints;

/// <summary>What a JSON schema costs a real model that decodes: the same prompt and number of tokens, one at a time, without a grammar and with one, in turn; masks are computed while the model runs. The median of the rounds' ratios.</summary>
internal static class DecodeCost
{
    private const int Tokens = 96;

    private static readonly (string Name, string Schema)[] s_schemas =
    [
        ("records in an array", """{"type":"array","minItems":60,"items":{"type":"object","properties":{"name":{"type":"string","minLength":4,"maxLength":40},"kind":{"enum":["a","bc","def"]},"count":{"type":"integer","minimum":0,"maximum":99}},"required":["name","kind","count"],"additionalProperties":false}}"""),
        ("one long string", """{"type":"string","minLength":800}"""),
        ("a string of counted words", """{"type":"string","pattern":"^(?:\\S+\\s+){150,400}\\S+$","maxLength":4000}"""),
        ("an object with any keys, of which all must come", """{"type":"object","required":["a1","b2","c3","d4","e5","f6","g7","h8"],"minProperties":60,"additionalProperties":{"oneOf":[{"type":"integer"},{"type":"string","format":"email"},{"type":"string","maxLength":9}]}}"""),
    ];

    public static async Task<string> RunAsync(string model, int rounds, int threads)
    {
        using var engine = LlmEngine.Load(model, new EngineOptions { Backend = ComputeBackend.Cpu, Threads = threads });
        var prompt = engine.Tokenizer!.Encode("<|im_start|>user\nInvent customers and describe them as JSON.<|im_end|>\n<|im_start|>assistant\n");
        var free = new GenerationRequest { Prompt = prompt, MaxOutputTokens = Tokens, StopTokens = [], JumpsAhead = false, Sampling = new SamplingOptions { Temperature = 0 } };
        var report = new StringBuilder();
        report.AppendLine("| schema | tokens/s without | with | slower by, median of rounds | quartiles |").AppendLine("|---|---|---|---|---|");
        foreach (var (name, schema) in s_schemas)
        {
            using var json = JsonDocument.Parse(schema);
            List<double> without = [], with = [], slower = [];
            for (var round = -1; round < rounds; round++)
            {
                // A grammar of the round's own: nothing that it remembers was made before.
                var bound = free with { Grammar = Grammar.FromJsonSchema(json.RootElement, new JsonSchemaOptions { FreeWhiteSpace = false }) };
                var (first, second) = (0.0, 0.0);
                foreach (var isBound in round % 2 == 0 ? new[] { false, true } : [true, false])
                {
                    var speed = await SpeedAsync(engine, isBound ? bound : free).ConfigureAwait(false);
                    (first, second) = isBound ? (first, speed) : (speed, second);
                }

                if (round >= 0)
                {
                    without.Add(first);
                    with.Add(second);
                    slower.Add(100 * ((first / second) - 1));
                }
            }

            slower.Sort();
            report.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {Median(without):F1} | {Median(with):F1} | {Median(slower):F1} % | {slower[slower.Count / 4]:F1} to {slower[slower.Count * 3 / 4]:F1} % |");
        }

        return report.ToString();
    }

    /// <summary>Tokens a second from the first token to the last.</summary>
    private static async Task<double> SpeedAsync(LlmEngine engine, GenerationRequest request)
    {
        var generation = engine.Submit(request);
        await using (generation.ConfigureAwait(false))
        {
            await foreach (var _ in generation.ReadAllAsync().ConfigureAwait(false))
            {
            }

            return (generation.GeneratedTokens - 1) / generation.DecodeTime.TotalSeconds;
        }
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
