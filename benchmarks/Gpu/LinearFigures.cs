using System.Globalization;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Backends.Cuda.Kernels;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Benchmarks.Gpu;

/// <summary>Products of a decode step in the shapes of Llama 1B and 8B: the kernel for few rows beside the floor of its bytes and the plain kernel.</summary>
internal static class LinearFigures
{
    private static readonly (string Name, int Outputs, int Inputs)[] Shapes =
    [
        ("1B qkv", 3072, 2048), ("1B o", 2048, 2048), ("1B gate+up", 16384, 2048), ("1B down", 2048, 8192), ("1B head", 128256, 2048),
        ("8B qkv", 6144, 4096), ("8B o", 4096, 4096), ("8B gate+up", 28672, 4096), ("8B down", 4096, 14336), ("8B head", 128256, 4096),
    ];

    public static void Run(Card card, TextWriter log)
    {
        var rate = Measures.ReadRate(card);
        int[] rows = [1, 4, 8];
        log.WriteLine(FormattableString.Invariant($"Read rate of this run: {rate / 1e12:0.00} TB/s."));
        log.WriteLine();
        log.WriteLine($"| product | MB | at read rate | floor single / graph |{string.Concat(rows.Select(r => $" M={r}: single / graph, chained | share of read (chained) | of floor (single) | plain kernel, single |"))}");
        log.WriteLine($"|---|---|---|---|{string.Concat(rows.Select(_ => "---|---|---|---|"))}");
        foreach (var (name, outputs, inputs) in Shapes)
        {
            var mark = card.Mark;
            var bytes = 2L * outputs * inputs;
            var sets = (int)Math.Clamp((440_000_000 / bytes) + 1, 2, 64);
            var random = new Random(1);
            var tile = new ushort[1 << 22];
            for (var i = 0; i < tile.Length; i++)
            {
                tile[i] = Bits((float)(random.NextDouble() - 0.5));
            }

            var weights = card.Allocate((bytes * sets) + (tile.Length * 2)).Value;
            for (long at = 0; at < bytes * sets; at += tile.Length * 2)
            {
                card.Upload<ushort>(weights + (nint)at, tile);
            }

            var x = card.Upload<float>([.. Enumerable.Range(0, 8 * inputs).Select(_ => (float)(random.NextDouble() - 0.5))]).Value;
            var output = card.Allocate(8L * outputs * 4).Value;
            var slabs = card.Upload<int>([.. Enumerable.Range(0, (int)(bytes / 8192))]).Value;
            var floorKernel = Measures.Floor(card, 128);
            void Floor(int i) => Yardsticks.Stream(floorKernel, card.Stream, card.Context.Multiprocessors, weights + (nint)(i % sets * bytes), weights + (nint)((i % sets * bytes) + (bytes / 2)), slabs, (int)(bytes / 8192));
            double floor = card.Single(Floor), floorGraph = card.InGraph(Floor), ideal = bytes / rate * 1e6;
            log.Write(string.Create(CultureInfo.InvariantCulture, $"| {name} {outputs} x {inputs} | {bytes / 1e6:0.0} | {ideal:0.0} | {floor:0.0} / {floorGraph:0.0} |"));
            foreach (var m in rows)
            {
                LinearSmallParams Of(int i)
                {
                    var parameters = new LinearSmallParams { X = new(x, inputs), Output = new(output, outputs), TargetCount = 1, Inputs = inputs, Outputs = outputs, Rows = m };
                    parameters.Targets[0] = new Target { Weights = weights + (nint)(i % sets * bytes), Outputs = outputs };
                    return parameters;
                }

                var plainKernel = card.Kernels.Get(CudaKernels.Linear(DType.BF16, m));
                LinearParams Plain(int i) => new() { X = new(x, inputs), Output = new(output, outputs), Targets = Of(i).Targets, TargetCount = 1, Inputs = inputs, Outputs = outputs, Rows = m };
                var plain = card.Single(i => plainKernel.Launch(card.Stream, (outputs + 15) / 16, 1, 1, Plain(i)));
                var small = new LinearSmall(card.Context, card.Kernels, card.Stream, SmallTuning.Default);
                var product = new SmallProduct(DType.BF16, m, inputs);
                if (!small.Takes(product, Of(0)))
                {
                    log.Write(string.Create(CultureInfo.InvariantCulture, $" - | - | - | {plain:0.0} |"));
                    continue;
                }

                void Ours(int i) => small.Launch(product, Of(i));
                double single = card.Single(Ours), chained = card.InGraph(Ours);
                log.Write(string.Create(CultureInfo.InvariantCulture, $" {single:0.0} / {chained:0.0} | {ideal / chained:0.0%} | {single / floor:0.00} | {plain:0.0} |"));
            }

            log.WriteLine();
            log.Flush();
            card.Release(mark);
        }
    }

    /// <returns>Whether the kernel gives what float64 gives, and a row the same bits alone and among others.</returns>
    public static bool Check(Card card, TextWriter log, int seed)
    {
        var random = new Random(seed);
        var failures = 0;
        foreach (var (outputs, inputs) in ((int[], int)[])[([3072], 2048), ([64, 16, 24], 576), ([77, 5], 1544), ([4096], 4096), ([16], 14336), ([1000, 8], 512), ([33], 40)])
        {
            var mark = card.Mark;
            var all = outputs.Sum();
            var weights = outputs.Select(o => Enumerable.Range(0, o * inputs).Select(_ => Bits((float)(random.NextDouble() - 0.5))).ToArray()).ToArray();
            var bias = Enumerable.Range(0, all).Select(_ => (float)(random.NextDouble() - 0.5)).ToArray();
            var x = Enumerable.Range(0, 8 * inputs).Select(_ => (float)(random.NextDouble() - 0.5)).ToArray();
            nint onCard = card.Upload<float>(x).Value, biasOnCard = card.Upload<float>(bias).Value, output = card.Allocate(8L * all * 4).Value;
            var weightsOnCard = weights.Select(w => card.Upload<ushort>(w).Value).ToArray();
            float[]? eight = null;
            foreach (var rows in (int[])[8, 5, 4, 3, 1])
            {
                var parameters = new LinearSmallParams { X = new(onCard, inputs), Output = new(output, all), TargetCount = outputs.Length, Inputs = inputs, Outputs = all, Rows = rows };
                var first = 0;
                for (var t = 0; t < outputs.Length; t++)
                {
                    parameters.Targets[t] = new Target { Weights = weightsOnCard[t], Bias = biasOnCard + (first * 4), First = first, Outputs = outputs[t] };
                    first += outputs[t];
                }

                var small = new LinearSmall(card.Context, card.Kernels, card.Stream, SmallTuning.Default);
                var product = new SmallProduct(DType.BF16, rows, inputs);
                if (!small.Takes(product, parameters))
                {
                    log.WriteLine($"linear {string.Join('+', outputs)} x {inputs}, {rows} rows: left to others");
                    continue;
                }

                card.Fill(output, 0xff, 8L * all * 4);
                small.Launch(product, parameters);
                var result = card.Download<float>(output, rows * all);
                double difference = 0, norm = 0;
                for (var r = 0; r < rows; r++)
                {
                    for (int t = 0, column = 0; t < outputs.Length; t++)
                    {
                        for (var o = 0; o < outputs[t]; o++, column++)
                        {
                            double sum = bias[column];
                            for (var k = 0; k < inputs; k++)
                            {
                                sum += x[(r * inputs) + k] * (double)BitConverter.UInt32BitsToSingle((uint)weights[t][(o * inputs) + k] << 16);
                            }

                            difference += Math.Pow(result[(r * all) + column] - sum, 2);
                            norm += sum * sum;
                        }
                    }
                }

                var relative = Math.Sqrt(difference / norm);
                eight ??= result;
                var same = eight.AsSpan(0, Math.Min(eight.Length, result.Length)).SequenceEqual(result.AsSpan(0, Math.Min(eight.Length, result.Length)));
                var fine = relative < 1e-2 && same;
                failures += fine ? 0 : 1;
                log.WriteLine(FormattableString.Invariant($"linear {string.Join('+', outputs)} x {inputs}, {rows} rows: {relative:0.0e+0}{(same ? "" : ", other bits than among 8")}{(fine ? "" : " FAILED")}"));
            }

            card.Release(mark);
        }

        log.WriteLine(failures == 0 ? $"linear: all is well (seed {seed})" : $"linear: {failures} FAILURES (seed {seed})");
        return failures == 0;
    }

    private static ushort Bits(float v) => (ushort)((BitConverter.SingleToUInt32Bits(v) + 0x8000) >> 16);
}
