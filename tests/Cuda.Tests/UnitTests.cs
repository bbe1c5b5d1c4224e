using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Numerics;
using KvPrefetch.Tests.Conformance;

namespace KvPrefetch.Tests.Cuda;

/// <summary>Blocks that the card computes in few launches, beside the same blocks verb by verb in float32.</summary>
public sealed unsafe class UnitTests(ITestOutputHelper output)
{
    /// <param name="Hidden">Width of the residual.</param>
    /// <param name="Heads">Query heads.</param>
    /// <param name="KvHeads">Of keys and values.</param>
    /// <param name="Dim">Of a head.</param>
    /// <param name="Turning">Elements of a head that turn.</param>
    /// <param name="Pairs">Which turn together.</param>
    /// <param name="Fused">q, k and v in one matrix, gate and up in one.</param>
    /// <param name="Bias">Every product has one.</param>
    /// <param name="Inner">Of the feed-forward unit.</param>
    private sealed record Sizes(int Hidden, int Heads, int KvHeads, int Dim, int Turning, RotaryPairs Pairs, bool Fused, bool Bias, int Inner);

    private static readonly Sizes[] Shapes =
    [
        new(256, 8, 2, 64, 64, RotaryPairs.Halves, false, false, 768),
        new(576, 9, 3, 64, 64, RotaryPairs.Halves, false, true, 1536),
        new(320, 4, 4, 80, 40, RotaryPairs.Neighbours, true, true, 200),
        new(1024, 8, 1, 128, 32, RotaryPairs.Halves, true, false, 2048),
        new(2048, 16, 4, 128, 128, RotaryPairs.Neighbours, false, false, 4096),
    ];

    [Fact]
    public void OneRow() => BlocksInFewLaunchesGiveWhatTheirVerbsGive(1, Shapes.Length);

    [Fact]
    public void ThreeRows() => BlocksInFewLaunchesGiveWhatTheirVerbsGive(3, 3);

    [Fact]
    public void EightRows() => BlocksInFewLaunchesGiveWhatTheirVerbsGive(8, 3);

    [Fact]
    public void MoreRowsThanTheSmallKernelTakes() => BlocksInFewLaunchesGiveWhatTheirVerbsGive(13, 3);

    private void BlocksInFewLaunchesGiveWhatTheirVerbsGive(int rows, int shapes)
    {
        foreach (var sizes in Shapes[..shapes])
        {
            var seed = Random.Shared.Next();
            using var reference = new ReferenceBackend();
            var expected = Run(reference, sizes, rows, seed);
            float[]? first = null;
            foreach (var (policy, folds, products) in ((PrefetchPolicy, bool, SmallTuning?)[])[(PrefetchPolicy.Rings, true, null), (PrefetchPolicy.Off, true, null), (PrefetchPolicy.L2, true, null), (PrefetchPolicy.Rings, true, new(4, 1, 256)), (PrefetchPolicy.Rings, false, null)])
            {
                if (products is not null && sizes != Shapes[0])
                {
                    continue;
                }

                using var backend = Card.Open(new CudaOptions { Prefetch = policy, Folds = folds, Products = products });
                var actual = Run(backend, sizes, rows, seed);
                double difference = 0, norm = 0;
                for (var i = 0; i < expected.Length; i++)
                {
                    difference += Math.Pow(expected[i] - actual[i], 2);
                    norm += Math.Pow(expected[i], 2);
                }

                var relative = Math.Sqrt(difference / norm);
                output.WriteLine($"{sizes}, {rows} rows, {policy}, folds {folds}: {relative:g2}, seed {seed}");
                Assert.True(relative < 1e-2, $"{relative}, {sizes}, {rows} rows, {policy}, folds {folds}, seed {seed}");
                if (folds && products is null)
                {
                    Assert.Equal(first ??= actual, actual);
                }
            }
        }
    }

    /// <returns>The residual after both blocks, and a product of it.</returns>
    private static float[] Run(IBackend backend, Sizes sizes, int rows, int seed)
    {
        var random = new Random(seed);
        var shape = new AttentionShape(sizes.Heads, sizes.KvHeads, sizes.Dim, 1f / MathF.Sqrt(sizes.Dim));
        var kept = new List<nint>();
        nint Keep<T>(T[] values)
            where T : unmanaged
        {
            var memory = (nint)System.Runtime.InteropServices.NativeMemory.Alloc((nuint)(values.Length * sizeof(T)));
            values.CopyTo(new Span<T>((void*)memory, values.Length));
            kept.Add(memory);
            return memory;
        }

        float Draw() => (float)((random.NextDouble() * 2) - 1);
        DeviceBuffer Vector(int length, float around) => backend.LoadVector("v", DType.F32, length, Keep([.. Enumerable.Range(0, length).Select(_ => around + (0.5f * Draw()))]));
        Projection Matrix(int outputs, int inputs) => new(
            backend.LoadMatrix("m", DType.BF16, outputs, inputs, Keep([.. Enumerable.Range(0, outputs * inputs).Select(_ => (ushort)(BitConverter.SingleToUInt32Bits(Draw() * 2 / MathF.Sqrt(inputs)) >> 16))])),
            sizes.Bias ? Vector(outputs, 0) : null);

        using var pages = backend.AllocateKvPages(KvLayout.Uniform(2, sizes.KvHeads, sizes.Dim, 16), [rows * 8]);
        int[] lengths = [.. Enumerable.Range(0, rows).Select(_ => random.Next(1, 100))];
        using var before = new Step(backend, pages, new Random(seed), 10, [.. lengths.Select(l => (0, l))]);
        using var single = new Step(backend, pages, new Random(seed), 10, [.. lengths.Select(l => (l, 1))]);
        using var whole = new Step(backend, pages, new Random(seed), 10, [.. lengths.Select(l => (0, l + 1))]);
        var now = single.Inputs;
        StepInputs With(in StepInputs step) => new()
        {
            TokenCount = step.TokenCount,
            SequenceCount = step.SequenceCount,
            SampleCount = step.SampleCount,
            TokenIds = step.TokenIds,
            Positions = step.Positions,
            RotaryLengths = step.RotaryLengths,
            RowStarts = step.RowStarts,
            BlockTableStarts = whole.Inputs.BlockTableStarts,
            TableStride = 0,
            BlockTables = whole.Inputs.BlockTables,
            SampleRows = step.SampleRows,
            Slots = step.Slots,
            Pages = pages,
            States = step.States,
        };

        void Fill(Rows to, int count, float size)
        {
            var values = Enumerable.Range(0, count * to.Columns).Select(_ => size * Draw()).ToArray();
            if (backend is CudaBackend card)
            {
                card.Write<float>(values, to.Buffer);
                return;
            }

            for (var row = 0; row < count; row++)
            {
                values.AsSpan(row * to.Columns, to.Columns).CopyTo(backend.Download(to, row));
            }
        }

        var tokens = lengths.Sum();
        var still = backend.AllocateRows(tokens, 0);
        var past = backend.AllocateRows(tokens, shape.QkvColumns);
        Fill(past, tokens, 1.5f);
        backend.RotateAndStore(With(before.Inputs), 1, past, still, RotaryPairs.Halves, shape);

        Rows hidden = backend.AllocateRows(rows, sizes.Hidden), scratch = backend.AllocateRows(rows, sizes.Hidden), rotary = backend.AllocateRows(rows, sizes.Turning);
        Fill(hidden, rows, 3);
        var step = With(now);
        backend.RotaryTable(step, new RotaryFrequencies([.. Enumerable.Range(0, sizes.Turning / 2).Select(i => (float)Math.Pow(1000, -2.0 * i / sizes.Turning))], Magnitude: 1), rotary);
        Projection[] qkv = sizes.Fused ? [Matrix(shape.QkvColumns, sizes.Hidden)] : [Matrix(shape.QueryColumns, sizes.Hidden), Matrix(shape.KeyColumns, sizes.Hidden), Matrix(shape.KeyColumns, sizes.Hidden)];
        backend.Attend(step, new NormedRows(hidden, Vector(sizes.Hidden, 1), 1e-5f, scratch),
            new AttentionUnit(1, shape, qkv, rotary, sizes.Pairs, [Matrix(sizes.Hidden, shape.QueryColumns)], 0.7f, backend.AllocateRows(rows, shape.QkvColumns), backend.AllocateRows(rows, shape.QueryColumns)));
        Projection[] gateUp = sizes.Fused ? [Matrix(2 * sizes.Inner, sizes.Hidden)] : [Matrix(sizes.Inner, sizes.Hidden), Matrix(sizes.Inner, sizes.Hidden)];
        backend.FeedForward(new NormedRows(hidden, Vector(sizes.Hidden, 1), 1e-5f, scratch),
            new GatedUnit(gateUp, ActivationKind.Silu, [Matrix(sizes.Hidden, sizes.Inner)], 1.3f, backend.AllocateRows(rows, 2 * sizes.Inner), backend.AllocateRows(rows, sizes.Inner)), rows);
        var logits = backend.AllocateRows(rows, 77);
        backend.NormedLinear(new NormedRows(hidden, Vector(sizes.Hidden, 1), 1e-5f, scratch), [Matrix(72, sizes.Hidden), Matrix(5, sizes.Hidden)], logits, rows);
        float[] result = [.. Enumerable.Range(0, rows).SelectMany(r => backend.Download(hidden, r).ToArray().Concat(backend.Download(logits, r).ToArray()))];
        kept.ForEach(memory => System.Runtime.InteropServices.NativeMemory.Free((void*)memory));
        return result;
    }
}
