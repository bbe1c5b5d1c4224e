using System.Globalization;
using System.Text;
using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.Benchmarks.Constraints;

/// <summary>What forced text and log-probabilities cost a real model: each pair of variants in turn, round by round, the median of the rounds' ratios.</summary>
internal static class JumpAhead
{
    private const string LongKeys = """
        {"type":"object","properties":{"customer_full_name":{"type":"string","maxLength":16},"preferred_contact_method":{"enum":["telephone","electronic mail","letter"]},"number_of_previous_orders":{"type":"integer","minimum":0,"maximum":99},
         "is_a_registered_customer":{"type":"boolean"},"estimated_delivery_time_in_days":{"type":"integer","minimum":1,"maximum":30}},
         "required":["customer_full_name","preferred_contact_method","number_of_previous_orders","is_a_registered_customer","estimated_delivery_time_in_days"],"additionalProperties":false}
        """;

    private const string ShortKeys = """{"type":"object","properties":{"a":{"type":"string","maxLength":40},"b":{"type":"string","maxLength":40}},"required":["a","b"],"additionalProperties":false}""";

    public static async Task<string> RunAsync(string model, int rounds, int threads)
    {
        using var engine = LlmEngine.Load(model, new EngineOptions { Backend = ComputeBackend.Cpu, Threads = threads });
        var prompt = engine.Tokenizer!.Encode("<|im_start|>user\nInvent a customer and describe them as JSON.<|im_end|>\n<|im_start|>assistant\n");
        var report = new StringBuilder();
        report.AppendLine("| what | tokens/s without | with | ratio (median of rounds) | same text |").AppendLine("|---|---|---|---|---|");
        foreach (var (name, schema) in new[] { ("jump-ahead, schema with long keys", LongKeys), ("jump-ahead, schema with two free strings", ShortKeys) })
        {
            using var json = JsonDocument.Parse(schema);
            var grammar = Grammar.FromJsonSchema(json.RootElement, new JsonSchemaOptions { FreeWhiteSpace = false });
            var request = new GenerationRequest { Prompt = prompt, Grammar = grammar, MaxOutputTokens = 200, Sampling = new SamplingOptions { Temperature = 0 } };
            await CompareAsync(report, engine, name, request with { JumpsAhead = false }, request, rounds).ConfigureAwait(false);
        }

        var free = new GenerationRequest { Prompt = prompt, MaxOutputTokens = 64, StopTokens = [], Sampling = new SamplingOptions { Temperature = 0 } };
        await CompareAsync(report, engine, "log-probabilities, 5 likeliest, free text", free, free with { Sampling = free.Sampling with { Logprobs = 5 } }, rounds).ConfigureAwait(false);
        return report.ToString();
    }

    private static async Task CompareAsync(StringBuilder report, LlmEngine engine, string name, GenerationRequest without, GenerationRequest with, int rounds)
    {
        var (ratios, first, second, same) = (new List<double>(), new List<double>(), new List<double>(), true);
        for (var round = -1; round < rounds; round++)
        {
            var (a, textA) = await SpeedAsync(engine, without).ConfigureAwait(false);
            var (b, textB) = await SpeedAsync(engine, with).ConfigureAwait(false);
            same &= string.Equals(textA, textB, StringComparison.Ordinal);
            if (round >= 0)
            {
                first.Add(a);
                second.Add(b);
                ratios.Add(b / a);
            }
        }

        report.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {Median(first):F1} | {Median(second):F1} | {Median(ratios):F2} | {(same ? "yes" : "NO")} |");
    }

    private static async Task<(double TokensPerSecond, string Text)> SpeedAsync(LlmEngine engine, GenerationRequest request)
    {
        var text = new StringBuilder();
        var generation = engine.Submit(request);
        await using (generation.ConfigureAwait(false))
        {
            await foreach (var piece in generation.ReadAllAsync().ConfigureAwait(false))
            {
                text.Append(piece.Text);
            }

            return ((generation.GeneratedTokens - 1) / generation.DecodeTime.TotalSeconds, text.ToString());
        }
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
