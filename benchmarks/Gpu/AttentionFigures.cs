using System.Globalization;
using KvPrefetch.Engine.Backends.Cuda;

namespace KvPrefetch.Benchmarks.Gpu;

/// <summary>The tables of decode attention: ours beside the floor, every prefetch policy beside its control, the paper's kernel with and without its prefetch.</summary>
internal static class AttentionFigures
{
    /// <summary>Shapes, and what the better of FlashInfer and FlashAttention-3 took on another H200 (shared/KERNELS.md), microseconds.</summary>
    private static readonly (AttentionCase Case, double Peer)[] Shapes =
    [
        (new(32, 32, 1, 4096), 27.9), (new(32, 32, 8, 2048), 72.5), (new(32, 32, 16, 1024), 69.1), (new(32, 32, 32, 2048), 257.0), (new(32, 32, 64, 1024), 250.2),
        (new(32, 8, 1, 1024), 0), (new(32, 8, 1, 8192), 21.0), (new(32, 8, 8, 4096), 44.2), (new(32, 8, 32, 2048), 72.6), (new(32, 8, 64, 2048), 136.3), (new(32, 8, 64, 8192), 494.8),
        (new(9, 3, 1, 2048, 64), 0), (new(32, 8, 1, 2048, 64), 0),
        (new(24, 8, 16, 4096), 0), (new(28, 4, 16, 4096), 0), (new(64, 8, 16, 4096), 0), (new(32, 8, 32, 4096, 64), 0), (new(32, 32, 16, 2048, 64), 0),
        (new(32, 8, Ragged(32), 128), 0), (new(32, 32, Ragged(8), 128), 0),
    ];

    /// <param name="card">The card.</param>
    /// <param name="log">Where the table goes.</param>
    /// <param name="plot">File of the plot, or null.</param>
    public static void Run(Card card, TextWriter log, string? plot)
    {
        var bars = new List<(string, double[])>();
        var rate = Measures.ReadRate(card);
        log.WriteLine(FormattableString.Invariant($"Read rate of this run: {rate / 1e12:0.00} TB/s."));
        log.WriteLine();
        log.WriteLine("| Hq/Hkv, batch, context | KV MB | at read rate | floor single / graph | ours single / graph / chained | TB/s | share of read | of floor | L2(1) single | control | fixed splits | peer | ratio |");
        log.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (var (shape, peer) in Shapes)
        {
            bars.Add((shape.Name, Row(card, shape, peer, rate, log)));
            log.Flush();
        }

        if (plot is not null)
        {
            var figure = new Plot("Decode attention, one launch");
            figure.Bars("share of the rate of a plain read (3.4 us of each launch are the launch)", "%", ["copies alone", "ours, single", "ours, chained", "best peer, other card"], bars, 100);
            figure.Save(plot);
        }
    }

    /// <summary>Small contexts with fewer or more CTAs.</summary>
    public static void Tune(Card card, TextWriter log)
    {
        int[] leasts = [1, 4, 8, 16];
        log.WriteLine($"| shape | floor | {string.Join(" | ", leasts)} (least units: single / graph / chained) |");
        foreach (var shape in (AttentionCase[])[new(32, 32, 1, 4096), new(32, 32, 1, 512), new(32, 8, 1, 512), new(32, 8, 1, 1024), new(32, 8, 1, 4096), new(32, 8, 1, 8192), new(32, 8, 8, 512), new(9, 3, 1, 2048, 64), new(32, 8, 1, 2048, 64), new(8, 1, 1, 4096)])
        {
            var mark = card.Mark;
            var pool = new KvPool(card, shape, 1);
            var output = card.Allocate(4L * shape.Lengths.Length * shape.Heads * shape.HeadDim).Value;
            var floor = Measures.Floor(card, shape.HeadDim);
            var cells = leasts.Select(least =>
            {
                var variant = new DecodeVariant(shape.HeadDim, shape.Group, shape.KvType, LeastUnits: least);
                var plain = Decode(card, shape, pool, output, variant);
                return string.Create(CultureInfo.InvariantCulture, $"{card.Single(plain):0.0} / {card.InGraph(plain):0.0} / {card.InGraph(Decode(card, shape, pool, output, variant with { Prefetch = PrefetchMode.Rings })):0.0}");
            });
            log.WriteLine($"| {shape.Name} | {card.Single(i => Measures.LaunchFloor(card, floor, pool, i)):0.0} | {string.Join(" | ", cells)} |");
            log.Flush();
            card.Release(mark);
        }
    }

    public static void Paper(Card card, TextWriter log, string? plot)
    {
        var bars = new List<(string, double[])>();
        log.WriteLine("| Hq/Hkv, batch, context | off | L2(1) | control | L2(2) | ours single | ours / paper's off |");
        log.WriteLine("|---|---|---|---|---|---|---|");
        foreach (var shape in (AttentionCase[])[new(32, 32, 1, 4096), new(32, 32, 8, 2048), new(32, 32, 32, 2048), new(32, 8, 1, 8192), new(32, 8, 8, 4096), new(32, 8, 64, 8192)])
        {
            var mark = card.Mark;
            var pool = new KvPool(card, shape, 1);
            var output = card.Allocate(4L * shape.Lengths.Length * shape.Heads * shape.HeadDim).Value;
            double Of(PrefetchMode mode, int distance = 1)
            {
                var kernel = new PaperAttention(card.Kernels, shape.HeadDim, shape.KvType, mode, distance);
                return card.Single(i => kernel.Launch(card.Stream, pool.Inputs(i, output), shape.Lengths.Max()));
            }

            double off = Of(PrefetchMode.Off), l2 = Of(PrefetchMode.L2), control = Of(PrefetchMode.Control), far = Of(PrefetchMode.L2, 2);
            var ours = Decode(card, shape, pool, output, new DecodeVariant(shape.HeadDim, shape.Group, shape.KvType));
            var single = card.Single(ours);
            log.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {shape.Name} | {off:0.0} | {l2:0.0} | {control:0.0} | {far:0.0} | {single:0.0} | {off / single:0.00}x |"));
            bars.Add((shape.Name, [1, off / control, off / l2, off / single]));
            log.Flush();
            card.Release(mark);
        }

        if (plot is not null)
        {
            var figure = new Plot("Decode attention");
            figure.Bars("speed over the paper's kernel without prefetch", "x", ["paper's kernel", "control", "L2 prefetch", "ours"], bars);
            figure.Save(plot);
        }
    }

    private static int[] Ragged(int count)
    {
        var random = new Random(5);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(1, 16385))];
    }

    private static Action<int> Decode(Card card, AttentionCase shape, KvPool pool, nint output, DecodeVariant variant)
    {
        var kernel = new DecodeAttention(card.Context, card.Kernels, variant);
        var bytes = kernel.RecordBytes(shape.KvHeads, pool.PagesPerSequence.Sum());
        var records = card.Allocate(bytes).Value;
        card.Fill(records, 0xff, bytes);
        return i => kernel.Launch(card.Stream, pool.Inputs(i, output), records);
    }

    private static double[] Row(Card card, AttentionCase shape, double peer, double rate, TextWriter log)
    {
        var mark = card.Mark;
        var pool = new KvPool(card, shape, 1);
        var output = card.Allocate(4L * shape.Lengths.Length * shape.Heads * shape.HeadDim).Value;
        var variant = new DecodeVariant(shape.HeadDim, shape.Group, shape.KvType);
        var floorKernel = Measures.Floor(card, shape.HeadDim);
        void Floor(int i) => Measures.LaunchFloor(card, floorKernel, pool, i);
        double floor = card.Single(Floor), floorGraph = card.InGraph(Floor);
        var ours = Decode(card, shape, pool, output, variant);
        double single = card.Single(ours), graph = card.InGraph(ours);
        var chained = card.InGraph(Decode(card, shape, pool, output, variant with { Prefetch = PrefetchMode.Rings }));
        var l2 = card.Single(Decode(card, shape, pool, output, variant with { Prefetch = PrefetchMode.L2 }));
        var control = card.Single(Decode(card, shape, pool, output, variant with { Prefetch = PrefetchMode.Control }));
        var fixedSplits = card.Single(Decode(card, shape, pool, output, variant with { FixedSplit = DecodeAttention.FixedSplitPages }));
        var ideal = pool.Bytes / rate * 1e6;
        log.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {shape.Name} | {pool.Bytes / 1e6:0.0} | {ideal:0.0} | {floor:0.0} / {floorGraph:0.0} | {single:0.0} / {graph:0.0} / {chained:0.0} | {pool.Bytes / single / 1e6:0.00} | {ideal / single:0.0%} | {single / floor:0.00} | {l2:0.0} | {control:0.0} | {fixedSplits:0.0} | {(peer > 0 ? peer.ToString("0.0", CultureInfo.InvariantCulture) : "-")} | {(peer > 0 ? (single / peer).ToString("0.00", CultureInfo.InvariantCulture) : "-")} |"));
        card.Release(mark);
        return [100 * ideal / floor, 100 * ideal / single, 100 * ideal / chained, peer > 0 ? 100 * (pool.Bytes / 4.45e12 * 1e6) / peer : double.NaN];
    }
}
