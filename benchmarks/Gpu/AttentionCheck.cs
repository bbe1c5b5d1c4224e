using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cuda;

namespace KvPrefetch.Benchmarks.Gpu;

/// <summary>Both decode kernels against float64 on fresh random inputs, outputs and unused tokens poisoned; every prefetch policy must give the same bits, every launch again the same.</summary>
internal static class AttentionCheck
{
    private const double Tolerance = 1e-2;

    private static AttentionCase[] Cases(Random random)
    {
        int[] Ragged(int count, int most) => [.. Enumerable.Range(0, count).Select(_ => random.Next(1, most))];
        return
        [
            new(32, 8, 1, 1), new(32, 8, 1, 16), new(32, 8, 1, 17), new(32, 8, 1, 8192), new(32, 32, 1, 4096), new(32, 8, Ragged(7, 3000)), new(32, 32, Ragged(16, 900)),
            new(32, 8, Ragged(64, 2000)), new(32, 8, Ragged(300, 200)), new(9, 3, 1, 2048, 64), new(32, 8, Ragged(5, 2500), 64), new(14, 2, Ragged(4, 2000), 64),
            new(28, 4, Ragged(4, 3000)), new(8, 1, Ragged(3, 3000)), new(16, 1, Ragged(3, 3000)), new(24, 2, Ragged(3, 1500)), new(9, 1, Ragged(2, 1500)), new(32, 32, Ragged(3, 700), 80), new(32, 32, Ragged(3, 700), 96),
            new(8, 4, Ragged(3, 2000), 256), new(8, 1, Ragged(3, 2000), 256), new(32, 8, Ragged(4, 2000)) { KvType = 1 }, new(32, 8, Ragged(4, 2000)) { QType = 2 }, new(8, 2, Ragged(4, 2000), 64) { KvType = 1, QType = 1 },
            new(32, 8, Ragged(5, 3000)) { Window = 512 }, new(8, 4, Ragged(5, 3000), 256) { Window = 1000, SoftCap = 20 }, new(64, 8, Ragged(4, 2000), 64) { Window = 128, Sinks = true }, new(64, 8, Ragged(4, 2000), 64) { Sinks = true, Sharpness = 4 },
            new(32, 8, Ragged(4, 30000)) { Growth = new ScaleGrowth(0.1f, 8192), Sharpness = 6 }, new(32, 8, Ragged(4, 4000)) { SoftCap = 5, Sharpness = 8 },
            new(8, 4, Ragged(70, 150), 64),
        ];
    }

    /// <returns>Whether all is well.</returns>
    public static bool Run(Card card, TextWriter log, int seed, int part = 0, int parts = 1)
    {
        var random = new Random(seed);
        var cases = Cases(random);
        var failures = 0;
        for (var c = 0; c < cases.Length; c++)
        {
            var own = random.Next();
            if (c % parts == part)
            {
                failures += One(card, cases[c], own, policies: c % 4 == 3, log);
            }
        }

        log.WriteLine(failures == 0 ? $"attention: all is well (seed {seed})" : $"attention: {failures} FAILURES (seed {seed})");
        return failures == 0;
    }

    private static int One(Card card, AttentionCase shape, int seed, bool policies, TextWriter log)
    {
        var mark = card.Mark;
        var pool = new KvPool(card, shape, seed, repeatable: true);
        pool.Poison(card);
        var elements = shape.Lengths.Length * shape.Heads * shape.HeadDim;
        var output = card.Allocate(elements * 4L).Value;
        var reference = Reference(shape, pool, new Random(seed));
        var failures = 0;
        var report = new List<string>();

        float[] Run(Action launch)
        {
            card.Fill(output, 0xff, elements * 4L);
            launch();
            return card.Download<float>(output, elements);
        }

        void Expect(bool fine, string what)
        {
            if (!fine)
            {
                failures++;
                report.Add("FAILED: " + what);
            }
        }

        float[] Compare(string name, Func<float[]> run)
        {
            var result = run();
            double difference = 0, norm = 0;
            foreach (var (index, values) in reference)
            {
                for (var d = 0; d < shape.HeadDim; d++)
                {
                    var error = result[index + d] - values[d];
                    difference += error * error;
                    norm += values[d] * values[d];
                }
            }

            var relative = Math.Sqrt(difference / norm);
            report.Add(FormattableString.Invariant($"{name} {relative:0.0e+0}"));
            Expect(relative < Tolerance && !result.Any(float.IsNaN), name);
            return result;
        }

        foreach (var split in (int[])[0, DecodeAttention.FixedSplitPages])
        {
            float[]? first = null;
            foreach (var mode in policies ? [PrefetchMode.Off, PrefetchMode.L2, PrefetchMode.Control, PrefetchMode.Rings] : (PrefetchMode[])[PrefetchMode.Off, PrefetchMode.Rings])
            {
                var variant = new DecodeVariant(shape.HeadDim, shape.Group, shape.KvType, shape.QType, 0, shape.SoftCap > 0, split, 8, mode, mode == PrefetchMode.L2 ? 2 : 1);
                var kernel = new DecodeAttention(card.Context, card.Kernels, variant);
                var bytes = kernel.RecordBytes(shape.KvHeads, pool.PagesPerSequence.Sum());
                var records = card.Allocate(bytes).Value;
                card.Fill(records, 0xff, bytes);
                float[] Launch() => Run(() => kernel.Launch(card.Stream, pool.Inputs(0, output), records));
                var result = Launch();
                if (first is null)
                {
                    first = Compare(split == 0 ? "decode" : "fixed", () => result);
                }

                Expect(first.AsSpan().SequenceEqual(result), $"{mode} differs from Off");
                Expect(result.AsSpan().SequenceEqual(Launch()), $"{mode} differs when repeated");
                if (split > 0 && mode == PrefetchMode.Off)
                {
                    var alone = Run(() =>
                    {
                        for (var s = 0; s < shape.Lengths.Length; s++)
                        {
                            kernel.Launch(card.Stream, pool.Alone(s, output), records);
                        }
                    });
                    Expect(result.AsSpan().SequenceEqual(alone), "a sequence alone differs from the same in the batch");
                }
            }
        }

        if (shape.QType == 0)
        {
            foreach (var mode in policies ? [PrefetchMode.Off, PrefetchMode.L2, PrefetchMode.Control] : (PrefetchMode[])[PrefetchMode.Off])
            {
                var paper = new PaperAttention(card.Kernels, shape.HeadDim, shape.KvType, mode);
                Compare(mode == PrefetchMode.Off ? "paper" : mode.ToString(), () => Run(() => paper.Launch(card.Stream, pool.Inputs(0, output), shape.Lengths.Max())));
            }
        }

        log.WriteLine($"{shape.Name}: {string.Join(", ", report)}");
        log.Flush();
        card.Release(mark);
        return failures;
    }

    /// <summary>Some rows' heads in float64, by the index of their first element in the output.</summary>
    private static List<(int Index, double[] Values)> Reference(AttentionCase shape, KvPool pool, Random random)
    {
        var picks = Enumerable.Range(0, 48).Select(_ => (Sequence: random.Next(shape.Lengths.Length), Head: random.Next(shape.Heads))).Append((0, 0)).Append((shape.Lengths.Length - 1, shape.Heads - 1)).Distinct().ToArray();
        return [.. picks.AsParallel().Select(p =>
        {
            var (s, h) = p;
            int position = shape.Lengths[s] - 1, kvHead = h / shape.Group, q = ((s * shape.Heads) + h) * shape.HeadDim;
            var first = shape.Window > 0 ? Math.Max(0, position - shape.Window + 1) : 0;
            var scale = shape.Scale * (double)shape.Growth.At(position);
            var scores = new double[position + 1 - first];
            for (var t = first; t <= position; t++)
            {
                double sum = 0;
                for (var d = 0; d < shape.HeadDim; d++)
                {
                    sum += pool.Q[q + d] * (double)pool.Element(value: false, s, kvHead, t, d);
                }

                sum *= scale;
                scores[t - first] = shape.SoftCap > 0 ? shape.SoftCap * Math.Tanh(sum / shape.SoftCap) : sum;
            }

            var top = Math.Max(scores.Max(), pool.SinkValues is { } sinks ? sinks[h] : double.NegativeInfinity);
            var total = pool.SinkValues is { } s2 ? Math.Exp(s2[h] - top) : 0;
            var values = new double[shape.HeadDim];
            for (var t = first; t <= position; t++)
            {
                var weight = Math.Exp(scores[t - first] - top);
                total += weight;
                for (var d = 0; d < shape.HeadDim; d++)
                {
                    values[d] += weight * pool.Element(value: true, s, kvHead, t, d);
                }
            }

            return (q, Array.ConvertAll(values, v => v / total));
        })];
    }
}
