using System.Diagnostics;
using System.Globalization;
using System.Text;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Execution;
using KvPrefetch.Engine.Layers;
using KvPrefetch.Engine.Models;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Benchmarks.Kernels;

/// <summary>Where the time of a decode step goes: every verb of real steps, beside a plain read of the same weights in as many jobs and in one.</summary>
internal static class StepBreakdown
{
    private const int Warm = 20;

    public static string Run(string model, int threads, int context, Arithmetic arithmetic, DType cache, int steps)
    {
        using var backend = new TimingBackend(CpuBackend.Create(threads, arithmetic: arithmetic, cache: cache));
        var folder = new ModelFolder(model);
        using var checkpoint = Checkpoint.Open(folder, log: null);
        var family = ModelCatalog.Describe(HfConfig.Load(folder, log: null));
        using var built = family.Build(new WeightLoader(new WeightBinder(checkpoint), backend), 1, 1);
        var pages = (context / MemoryPlan.PageSize) + 1;
        using var kv = backend.AllocateKvPages(new KvLayout(family.Shape.Cache, MemoryPlan.PageSize), [pages]);
        var step = Steps.Of(backend, kv, StateSlots.OnHost([], 1), 1, context);
        using var pool = WorkerPool.Rent(threads);

        List<Call[]> calls = [];
        List<double> whole = [], reads = [], oneRead = [], barriers = [];
        for (var i = 0; i < Warm + steps; i++)
        {
            backend.Calls.Clear();
            var start = Stopwatch.GetTimestamp();
            built.Forward(step);
            whole.Add(Since(start));
            calls.Add([.. backend.Calls]);

            var matrices = calls[^1].SelectMany(c => c.Matrices).ToArray();
            reads.Add(matrices.Sum(m => Read(pool, m.Address, m.Bytes)));
            var first = matrices.Min(m => m.Address);
            oneRead.Add(Read(pool, first, matrices.Max(m => m.Address + (nint)m.Bytes) - first));
            barriers.Add(Barrier(pool));
        }

        var kept = calls[Warm..];
        var medians = kept[0].Select((call, i) => (call.Verb, call.Bytes, Seconds: Statistics.Median([.. kept.Select(c => c[i].Ticks / (double)Stopwatch.Frequency)]))).ToArray();
        double all = Statistics.Median(whole[Warm..]), separate = Statistics.Median(reads[Warm..]), plain = Statistics.Median(oneRead[Warm..]);
        var bytes = medians.Sum(m => (double)m.Bytes);
        var text = new StringBuilder();
        void Add(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
        Add($"{threads} threads, context {context}, {arithmetic}, cache {cache}; medians of {steps} steps.\n");
        Add($"| verb | calls | us each | us in all | % of the step | GB/s | of a plain read % |");
        Add($"|---|---:|---:|---:|---:|---:|---:|");
        foreach (var group in medians.GroupBy(m => m.Verb))
        {
            double seconds = group.Sum(m => m.Seconds), moved = group.Sum(m => (double)m.Bytes);
            var rates = moved > 0 ? string.Create(CultureInfo.InvariantCulture, $"{moved / seconds / 1e9:F1} | {100 * (moved / seconds) / (bytes / plain):F0}") : " | ";
            Add($"| {group.Key} | {group.Count()} | {seconds / group.Count() * 1e6:F1} | {seconds * 1e6:F0} | {100 * seconds / all:F1} | {rates} |");
        }

        Add($"| the step | 1 | | {all * 1e6:F0} | 100 | {bytes / all / 1e9:F1} | {100 * plain / all:F0} |");
        Add($"| plain read of the weights, a job for each matrix | {kept[0].Sum(c => c.Matrices.Length)} | | {separate * 1e6:F0} | {100 * separate / all:F1} | {bytes / separate / 1e9:F1} | {100 * plain / separate:F0} |");
        Add($"| plain read of the weights, one job | 1 | | {plain * 1e6:F0} | {100 * plain / all:F1} | {bytes / plain / 1e9:F1} | 100 |");
        Add($"| a job without work (barrier) | 1 | {Statistics.Median(barriers[Warm..]) * 1e6:F2} | | | | |");
        return text.ToString();
    }

    private static double Read(WorkerPool pool, nint address, long bytes)
    {
        var job = new ReadJob { Address = address };
        var start = Stopwatch.GetTimestamp();
        pool.Run(ref job, (int)(bytes / ReadJob.ItemBytes), 12);
        return Since(start);
    }

    /// <summary>Seconds for a job with nothing to do, in a row of many.</summary>
    private static double Barrier(WorkerPool pool)
    {
        const int Times = 200;
        var job = default(EmptyJob);
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < Times; i++)
        {
            pool.Run(ref job, pool.Threads, 1);
        }

        return Since(start) / Times;
    }

    private static double Since(long start) => Stopwatch.GetElapsedTime(start).TotalSeconds;
}
