using System.Diagnostics;
using System.Globalization;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Benchmarks.Serving;

/// <summary>Our side, in a process of its own, by the protocol of the peer's script: the same prompts, greedy, medians over the repetitions.</summary>
internal static class Ours
{
    /// <summary>Prints one line of JSON for each prompt length.</summary>
    public static async Task RunAsync(Settings settings)
    {
        using var engine = LlmEngine.Load(settings.Model, Options(settings));
        if (settings.Contexts.Length > 0)
        {
            // Long enough for the compiler to have its second look.
            await MeasureAsync(engine, settings with { PromptTokens = 64, NewTokens = 64, Sequences = 1, Repeat = 1 });
        }

        foreach (var promptTokens in settings.Contexts.Length == 0 ? [settings.PromptTokens] : settings.Contexts)
        {
            Console.WriteLine(await MeasureAsync(engine, settings with { PromptTokens = promptTokens }));
        }
    }

    private static EngineOptions Options(Settings settings) => new()
    {
        Threads = settings.Threads,
        Arithmetic = settings.Arithmetic == "fast" ? Arithmetic.Fast : Arithmetic.Exact,
        Weights = settings.Weights switch { "int8" => WeightFormat.Int8, "int4" => WeightFormat.Int4, _ => WeightFormat.AsStored },
        PrefixCache = false, // each repetition computes its prompt
        KvCacheType = Enum.Parse<KvCacheType>(settings.Kv, ignoreCase: true),
    };

    private static async Task<string> MeasureAsync(LlmEngine engine, Settings settings)
    {
        List<double> firstToken = [], prefill = [], decode = [];
        for (var repetition = 0; repetition < settings.Repeat; repetition++)
        {
            var start = Stopwatch.GetTimestamp();
            var runs = await Task.WhenAll(Enumerable.Range(0, settings.Sequences).Select(sequence => GenerateAsync(engine, settings, sequence, start)));
            var prompt = runs.Max(run => run.First);
            var end = runs.Max(run => run.Last);
            firstToken.Add(prompt * 1000);
            prefill.Add((double)settings.Sequences * settings.PromptTokens / prompt);
            decode.Add(settings.Sequences * (settings.NewTokens - 1) / (end - prompt));
        }

        using var process = Process.GetCurrentProcess();
        return string.Create(CultureInfo.InvariantCulture,
            $$"""{"loadMs":{{engine.Stats.LoadTime.TotalMilliseconds:F1}},"firstTokenMs":{{Statistics.Median(firstToken):F1}},"prefillTokensPerSecond":{{Statistics.Median(prefill):F1}},"decodeTokensPerSecond":{{Statistics.Median(decode):F1}},"rssMiB":{{process.PeakWorkingSet64 >> 20}},"backend":"{{engine.Stats.Backend}}"}""");
    }

    /// <summary>Seconds from <paramref name="start"/> to the first and to the last token.</summary>
    private static async Task<(double First, double Last)> GenerateAsync(LlmEngine engine, Settings settings, int sequence, long start)
    {
        await using var generation = engine.Submit(new GenerationRequest
        {
            Prompt = settings.Prompt(sequence),
            MaxOutputTokens = settings.NewTokens,
            Sampling = new SamplingOptions { Temperature = 0 },
            StopTokens = [],
        });
        double first = 0, last = 0;
        var tokens = 0;
        await foreach (var piece in generation.ReadAllAsync())
        {
            if (piece.Token is not null)
            {
                last = Stopwatch.GetElapsedTime(start).TotalSeconds;
                first = tokens++ == 0 ? last : first;
            }
        }

        return tokens == settings.NewTokens ? (first, last) : throw new InvalidOperationException($"{tokens} tokens were generated instead of {settings.NewTokens}");
    }
}
