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
    private static readonly (string Name, Arithmetic Arithmetic, ProductKernels Kernels)[] Kinds =
    [
        ("exact, managed", Arithmetic.Exact, ProductKernels.Managed),
        ("fast, managed", Arithmetic.Fast, ProductKernels.Managed),
        ("fast, vdpbf16ps", Arithmetic.Fast, ProductKernels.VectorDots),
        ("fast, tiles", Arithmetic.Fast, ProductKernels.Tiles),
    ];

    public static string Run(int threads)
    {
        var text = new StringBuilder("| product | rows |").AppendJoin("", Kinds.Select(k => $" {k.Name}, GFLOP/s |")).AppendJoin("", Kinds.Skip(1).Select(k => $" {k.Name} / {Kinds[0].Name} |")).AppendLine();
        text.Append("|---|---|").Insert(text.Length, "---|", (2 * Kinds.Length) - 1).AppendLine();
        foreach (var rows in (int[])[1, 2, 4, 16, 64, 512])
        {
            foreach (var (name, outputs, inputs) in ((string, int, int)[])
            [
                ("q, k, v", (Sizes.Heads + (2 * Sizes.KvHeads)) * Sizes.HeadDim, Sizes.Hidden), ("attention output", Sizes.Hidden, Sizes.Heads * Sizes.HeadDim),
                ("gate, up", 2 * Sizes.Intermediate, Sizes.Hidden), ("down", Sizes.Hidden, Sizes.Intermediate),
            ])
            {
                var line = Measure(threads, rows, outputs, inputs);
                var seconds = Kinds.Select((_, i) => Statistics.Median([.. line.Select(round => round[i])])).ToArray();
                text.Append(CultureInfo.InvariantCulture, $"| {name} | {rows} |").AppendJoin("", seconds.Select(s => string.Create(CultureInfo.InvariantCulture, $" {2.0 * rows * outputs * inputs / s / 1e9:F0} |")));
                text.AppendJoin("", Kinds.Skip(1).Select((_, i) => string.Create(CultureInfo.InvariantCulture, $" {Statistics.Median([.. line.Select(round => round[0] / round[i + 1])]):F2} |"))).AppendLine();
                Console.WriteLine(text.ToString().Split('\n')[^2]);
            }
        }

        return text.ToString();
    }

    /// <summary>Seconds a call, by round and kind. Weights are walked through sixty-four megabytes; what a single row reads comes from memory.</summary>
    private static List<double[]> Measure(int threads, int rows, int outputs, int inputs)
    {
        var random = new Random(1);
        var count = Math.Max(1, (64 << 20) / (outputs * inputs * sizeof(ushort)));
        var weights = GC.AllocateUninitializedArray<ushort>(count * outputs * inputs, pinned: true);
        for (var i = 0; i < weights.Length; i++)
        {
            weights[i] = (ushort)(0x3D00 | (i & 0x80FF));
        }

        var backends = Kinds.Select(k => CpuBackend.Create(threads, arithmetic: k.Arithmetic, kernels: k.Kernels)).ToArray();
        var x = backends[0].AllocateRows(rows, inputs);
        var output = backends[0].AllocateRows(rows, outputs);
        for (var row = 0; row < rows; row++)
        {
            foreach (ref var value in backends[0].Download(x, row))
            {
                value = (float)random.NextDouble() - 0.5f;
            }
        }

        Projection[][] projections = [.. Enumerable.Range(0, count).Select(i => new[]
        {
            new Projection(backends[0].LoadMatrix("weight", DType.BF16, outputs, inputs, Marshal.UnsafeAddrOfPinnedArrayElement(weights, i * outputs * inputs)), Bias: null),
        })];
        var next = 0;
        double Time(IBackend backend, int calls)
        {
            var start = Stopwatch.GetTimestamp();
            for (var i = 0; i < calls; i++)
            {
                backend.Linear(x, projections[next], output, rows);
                next = (next + 1) % count;
            }

            return Stopwatch.GetElapsedTime(start).TotalSeconds / calls;
        }

        Array.ForEach(backends, b => Time(b, 5));
        var perRound = Math.Max(1, (int)(0.01 / Time(backends[0], 3)));
        List<double[]> rounds = [.. Enumerable.Range(0, Rounds).Select(_ => backends.Select(b => Time(b, perRound)).ToArray())];
        Array.ForEach(backends, b => b.Dispose());
        x.Buffer.Dispose();
        output.Buffer.Dispose();
        return rounds;
    }
}
