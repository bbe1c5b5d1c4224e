using System.Diagnostics;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Sampling;

namespace KvPrefetch.Benchmarks.Gpu;

/// <summary>From logits on the card to tokens: by their summaries and by reading the rows, host time until the tokens are there.</summary>
internal static class SamplingFigures
{
    private const int Vocabulary = 128_256;
    private const int Rounds = 41;

    public static void Run(TextWriter log)
    {
        using var backend = CudaBackend.Create(new CudaOptions { KernelFolder = Environment.GetEnvironmentVariable("KVPREFETCH_KERNEL_CACHE") });
        log.WriteLine("| rows of 128,256 logits | options | rows read, us | summaries, us | ratio | same tokens |");
        log.WriteLine("|---|---|---|---|---|---|");
        var sampler = new Sampler(Vocabulary);
        foreach (var rows in (int[])[1, 8, 64])
        {
            using var summaries = new SummarySampler(backend, sampler, rows, Vocabulary);
            var random = new Random(rows);
            var logits = backend.AllocateRows(rows, Vocabulary);
            backend.Write<float>([.. Enumerable.Range(0, rows * Vocabulary).Select(_ => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(6.283 * random.NextDouble()) * 2.5))], logits.Buffer);
            foreach (var (name, options) in ((string, SamplingOptions)[])[("greedy", new() { Temperature = 0 }), ("temperature 1", new()), ("0.7, top-k 20, top-p 0.8", new() { Temperature = 0.7f, TopK = 20, TopP = 0.8f }), ("0.6, top-p 0.95", new() { Temperature = 0.6f, TopP = 0.95f }), ("0.5, min-p 0.1", new() { Temperature = 0.5f, MinP = 0.1f })])
            {
                var sequences = Enumerable.Range(0, rows).Select(i => new Sequence(i, [1, 2], 100, options with { Seed = (ulong)i }, [])).ToArray();
                var batch = new Batch(rows);
                Array.ForEach(sequences, s => batch.Add(s, 2));
                int[] read = new int[rows], summarised = new int[rows];
                double Median(Action run) => Statistics.Median([.. Enumerable.Range(0, Rounds).Select(_ =>
                {
                    backend.Upload([1], backend.AllocateInts(1));
                    backend.Synchronize();
                    var watch = Stopwatch.GetTimestamp();
                    run();
                    return Stopwatch.GetElapsedTime(watch).TotalMicroseconds;
                })]);
                var first = Median(() =>
                {
                    backend.Fetch(logits, rows);
                    for (var i = 0; i < rows; i++)
                    {
                        read[i] = sampler.Pick(sequences[i], backend.Download(logits, i));
                    }
                });
                var second = Median(() =>
                {
                    summaries.Begin(batch, logits);
                    for (var i = 0; i < rows; i++)
                    {
                        summarised[i] = summaries.Pick(i, sequences[i]);
                    }
                });
                log.WriteLine(FormattableString.Invariant($"| {rows} | {name} | {first:0} | {second:0} | {first / second:0.0} | {(read.AsSpan().SequenceEqual(summarised) ? "yes" : "NO")} |"));
                log.Flush();
            }
        }
    }
}
