using System.Globalization;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Backends.Cuda.Driver;
using KvPrefetch.Engine.Backends.Cuda.Kernels;
using KvPrefetch.Engine.Layers;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Benchmarks.Gpu;

/// <summary>The whole decode step as the engine runs it: a recorded graph of a Llama of random weights, in several forms, and parts of it by themselves.</summary>
internal static class StepFigures
{
    private const int Replays = 8;
    private const int Rounds = 9;

    private static readonly (StepShape Shape, int Batch, int Context)[] Cases =
    [
        (StepShape.Small, 1, 512), (StepShape.Small, 8, 512), (StepShape.Small, 1, 8192),
        (StepShape.Large, 1, 512), (StepShape.Large, 8, 512), (StepShape.Large, 1, 8192), (StepShape.Large, 64, 2048),
    ];

    /// <param name="log">Where the table goes.</param>
    /// <param name="tune">Other rings as well.</param>
    public static void Run(TextWriter log, bool tune)
    {
        double rate;
        using (var card = new Card())
        {
            rate = Measures.ReadRate(card);
        }

        log.WriteLine(FormattableString.Invariant($"Read rate of this run: {rate / 1e12:0.00} TB/s."));
        log.WriteLine();
        log.WriteLine("| model, batch, context | form | us | MB | share of read | bits / distance |");
        log.WriteLine("|---|---|---|---|---|---|");
        foreach (var group in Cases.GroupBy(c => c.Shape))
        {
            using var backend = CudaBackend.Create(new CudaOptions { KernelFolder = Environment.GetEnvironmentVariable("KVPREFETCH_KERNEL_CACHE") });
            using var model = new StepModel(backend, group.Key, group.Max(c => c.Batch));
            foreach (var (shape, batch, context) in group)
            {
                Case(backend, model, shape, batch, context, rate, tune, log);
            }
        }
    }

    private static (SmallTuning, DecodeTuning)[] Tunings(int batch)
    {
        DecodeTuning wide = new(128, 8), slim = new(64, 8);
        return batch > 4
            ? [(new(3, 3, 512), wide), (new(3, 3, 256), wide), (new(4, 4, 256), wide), (new(6, 6, 256, 2), wide), (new(4, 4, 256), wide with { LeastUnits = 32 })]
            :
            [
                (new(3, 3, 512), wide), (new(3, 3, 512), slim), (new(3, 3, 512), slim with { LeastUnits = 16 }), (new(3, 3, 512), slim with { LeastUnits = 32 }),
                (new(3, 3, 512, 1), wide), (new(3, 3, 512, 1), slim), (new(3, 3, 512, 2), slim), (new(2, 2, 512), slim), (new(3, 3, 256), slim), (new(4, 4, 256), slim), (new(4, 4, 256, 2), slim), (new(6, 6, 256, 3), slim),
            ];
    }

    /// <summary>Fills the kernel cache with what <see cref="Run"/> will ask for; several processes may share the work.</summary>
    public static void Compile(Card card, int part, int parts)
    {
        var specs = new List<KernelSpec>();
        foreach (var (shape, batch, _) in Cases)
        {
            foreach (var (tuning, _) in Tunings(batch).Append((SmallTuning.Default, default)).Append((SmallTuning.Default with { Ahead = 0 }, default)))
            {
                var queries = shape.Heads * shape.HeadDim;
                foreach (var product in (SmallProduct[])
                [
                    new(DType.BF16, batch, shape.Hidden, SmallMode.Rotate, Normed: true), new(DType.BF16, batch, shape.Hidden, SmallMode.Gated, Normed: true), new(DType.BF16, batch, shape.Hidden, Normed: true),
                    new(DType.BF16, batch, queries, SmallMode.Add, Sixteen: true), new(DType.BF16, batch, shape.Inner, SmallMode.Add, Sixteen: true),
                ])
                {
                    if (batch <= LinearSmall.MaxRows && LinearSmall.Of(product, tuning, card.Context.SharedBytes) is { } found)
                    {
                        specs.Add(found.Spec);
                    }
                }
            }
        }

        foreach (var (spec, i) in specs.DistinctBy(s => s.Variant).Select((s, i) => (s, i)))
        {
            if (i % parts == part)
            {
                card.Kernels.Get(spec);
            }
        }
    }

    private static void Case(CudaBackend backend, StepModel model, StepShape shape, int batch, int context, double rate, bool tune, TextWriter log)
    {
        var (step, memory) = model.Inputs(batch, context);
        using var kept = memory;
        var bytes = shape.WeightBytes + shape.KvBytes(batch, context);
        float[]? first = null;
        void Row(string form, long moved, double time, string note = "") =>
            log.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {shape.Name}, {batch}, {context} | {form} | {time:0.0} | {moved / 1e6:0} | {moved / rate * 1e6 / time:0.0%} | {note} |"));

        void Whole(string form, CudaOptions options)
        {
            backend.Reconfigure(options);
            var logits = default(Rows);
            var time = Time(backend, () => logits = model.Decoder.Forward(step));
            backend.Fetch(logits, batch);
            var values = Enumerable.Range(0, batch).SelectMany(r => backend.Download(logits, r).ToArray()).ToArray();
            first ??= values;
            double difference = 0, norm = 0;
            for (var i = 0; i < values.Length; i++)
            {
                difference += Math.Pow(values[i] - first[i], 2);
                norm += Math.Pow(first[i], 2);
            }

            Row(form, bytes, time, first.AsSpan().SequenceEqual(values) ? "same bits" : FormattableString.Invariant($"{Math.Sqrt(difference / norm):0.0e+0}"));
            log.Flush();
        }

        var rings = new CudaOptions { Prefetch = PrefetchPolicy.Rings };
        var off = new CudaOptions { Prefetch = PrefetchPolicy.Off };
        Whole("rings ahead", rings);
        Whole("dependent launches, rings empty (control)", off);
        Whole("plain graph", off with { Overlaps = false });
        Whole("verb by verb, rings ahead", rings with { Folds = false });
        if (tune && batch <= LinearSmall.MaxRows)
        {
            foreach (var (tuning, decode) in Tunings(batch))
            {
                Whole($"{tuning.Stages} slots of {tuning.Chunk}, {tuning.Clock} at once; attention {decode.RingKilobytes} KB, {decode.LeastUnits} units", rings with { Products = tuning, Decode = decode });
            }
        }

        // Parts: one verb of every layer after the other, with the layers' own weights.
        backend.Reconfigure(rings);
        var scratch = model.Scratch;
        void Part(string name, long moved, int launches, Action launch)
        {
            var time = Time(backend, launch);
            Row($"{name}, each of {launches}", moved / launches, time / launches);
        }

        var attention = model.Attention;
        var attend = model.Blocks.Where((_, i) => i % 2 == 0).ToArray();
        var feed = model.Blocks.Where((_, i) => i % 2 == 1).ToArray();
        NormedRows With(Norm norm) => new(scratch.Hidden, norm.Gain, norm.Epsilon, scratch.Normed);
        long layers = shape.Layers, hidden = shape.Hidden, qkv = 2 * layers * hidden * attention.QkvColumns, o = 2 * layers * hidden * attention.QueryColumns, inner = 2 * layers * hidden * shape.Inner;
        var still = step;
        if (batch <= LinearSmall.MaxRows)
        {
            Part("attention blocks", qkv + o + shape.KvBytes(batch, context), shape.Layers, () => Array.ForEach(attend, b => b.Mixer.TryFold(backend, still, scratch, With(b.Pre!), 1)));
            Part("feed-forward blocks", 3 * inner, shape.Layers, () => Array.ForEach(feed, b => b.Mixer.TryFold(backend, still, scratch, With(b.Pre!), 1)));
            Part("norm + qkv, stored", qkv, shape.Layers, () => Array.ForEach(attend, b => backend.NormedLinear(With(b.Pre!), ((Attention)b.Mixer).Qkv, scratch.Qkv, batch)));
            Part("norm + gate + up, stored", 2 * inner, shape.Layers, () => Array.ForEach(feed, b => backend.NormedLinear(With(b.Pre!), ((GatedMlp)b.Mixer).GateUp, scratch.GateUp, batch)));
            Part("head", 8L * hidden * shape.Vocabulary, 4, () =>
            {
                for (var i = 0; i < 4; i++)
                {
                    backend.NormedLinear(With(model.Head.Norm!), model.Head.Projection, scratch.Logits, batch);
                }
            });
        }

        Part("o", o, shape.Layers, () => Array.ForEach(attend, b => backend.Linear(scratch.Mixed, ((Attention)b.Mixer).Output, scratch.Delta, batch)));
        Part("down", inner, shape.Layers, () => Array.ForEach(feed, b => backend.Linear(scratch.Inner, ((GatedMlp)b.Mixer).Down, scratch.Delta, batch)));
        Part("attention", shape.KvBytes(batch, context), shape.Layers, () =>
        {
            for (var layer = 0; layer < shape.Layers; layer++)
            {
                backend.PagedAttention(still, layer, scratch.Qkv.Slice(0, attention.QueryColumns), scratch.Mixed, attention);
            }
        });
        Part("embedding, positions", 0, 1, () =>
        {
            backend.Embed(still, still.TokenIds, model.Head.Projection[0].Matrix, 1, scratch.Hidden);
            backend.RotaryTable(still, model.Rotary, scratch.Rotary[0]);
        });
        log.Flush();
    }

    /// <summary>Microseconds of one replay of what is recorded: the median of several rounds of replays in a row.</summary>
    private static double Time(CudaBackend backend, Action launch)
    {
        launch();
        backend.Synchronize();
        using var graph = CudaGraph.Record(backend.Context, backend.Stream, launch);
        using var start = CudaEvent.Create(backend.Context, timing: true);
        using var end = CudaEvent.Create(backend.Context, timing: true);
        graph.Launch(backend.Stream);
        graph.Launch(backend.Stream);
        var times = new double[Rounds];
        for (var round = 0; round < Rounds; round++)
        {
            start.Record(backend.Stream);
            for (var i = 0; i < Replays; i++)
            {
                graph.Launch(backend.Stream);
            }

            end.Record(backend.Stream);
            backend.Synchronize();
            times[round] = 1000.0 * end.MillisecondsSince(start) / Replays;
        }

        return Statistics.Median(times);
    }
}
