using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Benchmarks.Kernels;

/// <summary>The products of SmolLM2 by every kind of kernel, in turn within each round: what else runs on the machine slows all of them, and the ratio within a round stays.</summary>
internal static class PairedLinear
{
    private const int Rounds = 15;

    /// <summary>The first is what the others are compared with.</summary>
    private static readonly Kind[] Arithmetics =
    [
        new("exact, managed", Arithmetic.Exact, ProductKernels.Managed),
        new("fast, managed", Arithmetic.Fast, ProductKernels.Managed),
        new("fast, vdpbf16ps", Arithmetic.Fast, ProductKernels.VectorDots),
        new("fast, tiles", Arithmetic.Fast, ProductKernels.Tiles),
    ];

    private static readonly Kind[] Formats =
    [
        new("bf16, exact", Arithmetic.Exact, ProductKernels.Auto),
        new("bf16, fast", Arithmetic.Fast, ProductKernels.Auto),
        new("int8, managed", Arithmetic.Exact, ProductKernels.Managed, WeightFormat.Int8),
        new("int8, vpdpbusd", Arithmetic.Exact, ProductKernels.VectorDots, WeightFormat.Int8),
        new("int8", Arithmetic.Exact, ProductKernels.Auto, WeightFormat.Int8),
        new("int4, managed", Arithmetic.Exact, ProductKernels.Managed, WeightFormat.Int4),
        new("int4, vpdpbusd", Arithmetic.Exact, ProductKernels.VectorDots, WeightFormat.Int4),
        new("int4", Arithmetic.Exact, ProductKernels.Auto, WeightFormat.Int4),
    ];

    private sealed record Kind(string Name, Arithmetic Arithmetic, ProductKernels Kernels, WeightFormat Weights = WeightFormat.AsStored);

    /// <summary>bfloat16 weights by arithmetic.</summary>
    public static string Run(int threads) => Run(threads, Arithmetics);

    /// <summary>Weights quantised while loading.</summary>
    public static string RunFormats(int threads) => Run(threads, Formats);

    private static string Run(int threads, Kind[] kinds)
    {
        var text = new StringBuilder("| product | rows |").AppendJoin("", kinds.Select(k => $" {k.Name}, GFLOP/s |")).AppendJoin("", kinds.Skip(1).Select(k => $" {k.Name} / {kinds[0].Name} |")).AppendLine();
        text.Append("|---|---|").Insert(text.Length, "---|", (2 * kinds.Length) - 1).AppendLine();
        foreach (var rows in (int[])[1, 2, 4, 16, 64, 512])
        {
            foreach (var (name, outputs, inputs) in ((string, int, int)[])
            [
                ("q, k, v", (Sizes.Heads + (2 * Sizes.KvHeads)) * Sizes.HeadDim, Sizes.Hidden), ("attention output", Sizes.Hidden, Sizes.Heads * Sizes.HeadDim),
                ("gate, up", 2 * Sizes.Intermediate, Sizes.Hidden), ("down", Sizes.Hidden, Sizes.Intermediate),
            ])
            {
                var line = Measure(kinds, threads, rows, outputs, inputs);
                var seconds = kinds.Select((_, i) => Statistics.Median([.. line.Select(round => round[i])])).ToArray();
                text.Append(CultureInfo.InvariantCulture, $"| {name} | {rows} |").AppendJoin("", seconds.Select(s => string.Create(CultureInfo.InvariantCulture, $" {2.0 * rows * outputs * inputs / s / 1e9:F0} |")));
                text.AppendJoin("", kinds.Skip(1).Select((_, i) => string.Create(CultureInfo.InvariantCulture, $" {Statistics.Median([.. line.Select(round => round[0] / round[i + 1])]):F2} |"))).AppendLine();
                Console.WriteLine(text.ToString().Split('\n')[^2]);
            }
        }

        return text.ToString();
    }

    /// <summary>Seconds a call, by round and kind. Weights are walked through sixty-four megabytes; what a single row reads comes from memory.</summary>
    private static List<double[]> Measure(Kind[] kinds, int threads, int rows, int outputs, int inputs)
    {
        var random = new Random(1);
        var count = Math.Max(1, (64 << 20) / (outputs * inputs * sizeof(ushort)));
        var weights = GC.AllocateUninitializedArray<ushort>(count * outputs * inputs, pinned: true);
        for (var i = 0; i < weights.Length; i++)
        {
            weights[i] = (ushort)(0x3D00 | (i & 0x80FF));
        }

        var backends = kinds.Select(k => CpuBackend.Create(threads, arithmetic: k.Arithmetic, kernels: k.Kernels)).ToArray();
        var x = backends[0].AllocateRows(rows, inputs);
        var output = backends[0].AllocateRows(rows, outputs);
        for (var row = 0; row < rows; row++)
        {
            foreach (ref var value in backends[0].Download(x, row))
            {
                value = (float)random.NextDouble() - 0.5f;
            }
        }

        var memory = new List<DeviceBuffer>();
        Projection[][][] projections = [.. kinds.Select((kind, k) => Enumerable.Range(0, count).Select(i =>
        {
            var address = Marshal.UnsafeAddrOfPinnedArrayElement(weights, i * outputs * inputs);
            if (kind.Weights == WeightFormat.AsStored)
            {
                return new[] { new Projection(backends[k].LoadMatrix("weight", DType.BF16, outputs, inputs, address), Bias: null) };
            }

            memory.Add(DeviceBuffer.OnHost(DType.U8, GroupedLayout.Bytes(kind.Weights, outputs, inputs)));
            var weight = backends[k].LoadGrouped("weight", kind.Weights, outputs, inputs, memory[^1]);
            backends[k].Quantise(weight, DType.BF16, address, isMapped: false);
            return [new Projection(weight, Bias: null)];
        }).ToArray())];
        var next = 0;
        double Time(int kind, int calls)
        {
            var start = Stopwatch.GetTimestamp();
            for (var i = 0; i < calls; i++)
            {
                backends[kind].Linear(x, projections[kind][next], output, rows);
                next = (next + 1) % count;
            }

            return Stopwatch.GetElapsedTime(start).TotalSeconds / calls;
        }

        var all = Enumerable.Range(0, kinds.Length).ToArray();
        Array.ForEach(all, kind => Time(kind, 5));
        var perRound = Math.Max(1, (int)(0.01 / Time(0, 3)));
        List<double[]> rounds = [.. Enumerable.Range(0, Rounds).Select(_ => all.Select(kind => Time(kind, perRound)).ToArray())];
        memory.ForEach(m => m.Dispose());
        Array.ForEach(backends, b => b.Dispose());
        x.Buffer.Dispose();
        output.Buffer.Dispose();
        return rounds;
    }
}
