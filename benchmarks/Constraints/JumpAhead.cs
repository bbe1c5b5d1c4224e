using System.Globalization;
using System.Text;
using System.Text.Json;
using KvPrefetch.AI.ToolCalls;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.Benchmarks.Constraints;

/// <summary>What forced text, log-probabilities and known beginnings of prompts cost or spare a real model: each pair of variants in turn, round by round, the median of the rounds' ratios.</summary>
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
            foreach (var (order, grammar) in new[] { ("members in order", Grammar.FromPart(OrderedJson.Of(json.RootElement))), ("in any order", Grammar.FromJsonSchema(json.RootElement, new JsonSchemaOptions { FreeWhiteSpace = false })) })
            {
                var request = new GenerationRequest { Prompt = prompt, Grammar = grammar, MaxOutputTokens = 200, Sampling = new SamplingOptions { Temperature = 0 } };
                await CompareAsync(report, engine, $"{name}, {order}", request with { JumpsAhead = false }, request, rounds).ConfigureAwait(false);
            }
        }

        var free = new GenerationRequest { Prompt = prompt, MaxOutputTokens = 64, StopTokens = [], Sampling = new SamplingOptions { Temperature = 0 } };
        await CompareAsync(report, engine, "log-probabilities, 5 likeliest, free text", free, free with { Sampling = free.Sampling with { Logprobs = 5 } }, rounds).ConfigureAwait(false);
        report.AppendLine().AppendLine("| prompt tokens | of them found | time to first token without, ms | with, ms | ratio (median of rounds) |").AppendLine("|---|---|---|---|---|");
        foreach (var tokens in new[] { 256, 1024 })
        {
            await FirstTokenAsync(report, engine, tokens, rounds).ConfigureAwait(false);
        }

        return report.ToString();
    }

    /// <summary>An agent's long instructions before a short question: another beginning each time, or always the same.</summary>
    private static async Task FirstTokenAsync(StringBuilder report, LlmEngine engine, int tokens, int rounds)
    {
        var (first, second, ratios, found) = (new List<double>(), new List<double>(), new List<double>(), 0);
        for (var round = -1; round < rounds; round++)
        {
            int[] Prompt(int beginning) => [.. engine.Tokenizer!.Encode($"Text {beginning}. ")[..2], .. Enumerable.Range(0, tokens - 18).Select(i => 1000 + (((i * 7919) + beginning) % 20_000)), .. Enumerable.Range(0, 16).Select(i => 2000 + i + (round * 16))];
            var (without, _) = await TimeAsync(engine, Prompt(round + 100)).ConfigureAwait(false);
            var (with, cached) = await TimeAsync(engine, Prompt(7)).ConfigureAwait(false);
            if (round >= 0)
            {
                (found, _) = (cached, 0);
                first.Add(without);
                second.Add(with);
                ratios.Add(without / with);
            }
        }

        report.AppendLine(CultureInfo.InvariantCulture, $"| {tokens} | {found} | {Median(first):F1} | {Median(second):F1} | {Median(ratios):F1} |");

        static async Task<(double Milliseconds, int Cached)> TimeAsync(LlmEngine engine, int[] prompt)
        {
            var generation = engine.Submit(new GenerationRequest { Prompt = prompt, MaxOutputTokens = 1, StopTokens = [], Sampling = new SamplingOptions { Temperature = 0 } });
            await using (generation.ConfigureAwait(false))
            {
                await foreach (var _ in generation.ReadAllAsync().ConfigureAwait(false))
                {
                }

                return (generation.TimeToFirstToken!.Value.TotalMilliseconds, generation.CachedPromptTokens);
            }
        }
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
