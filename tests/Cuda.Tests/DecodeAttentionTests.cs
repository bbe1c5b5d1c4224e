using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Numerics;
using KvPrefetch.Tests.Conformance;

namespace KvPrefetch.Tests.Cuda;

/// <summary>The decode kernels inside the backend: through RotateAndStore into 16-bit pages, beside the reference in float32.</summary>
public sealed class DecodeAttentionTests(ITestOutputHelper output)
{
    // Prefills, then decodes and a chunk together, then decodes alone.
    private static readonly (int Start, int Count)[][] Rounds = [[(0, 150), (0, 16), (0, 33)], [(150, 1), (16, 17), (33, 1)], [(151, 1), (33, 1), (34, 1)]];

    public static TheoryData<AttentionKernel, PrefetchPolicy, bool> Kernels { get; } = new()
    {
        { AttentionKernel.Prefetch, PrefetchPolicy.Auto, false },
        { AttentionKernel.Prefetch, PrefetchPolicy.L2, true },
        { AttentionKernel.Paper, PrefetchPolicy.L2, false },
        { AttentionKernel.Reference, PrefetchPolicy.Auto, false },
    };

    [Theory]
    [MemberData(nameof(Kernels))]
    public void EveryKernelGivesWhatTheReferenceGives(AttentionKernel kernel, PrefetchPolicy policy, bool invariant)
    {
        foreach (var type in (DType[])[DType.BF16, DType.F16])
        {
            using var backend = Card.Open(new CudaOptions { KvType = type, Attention = kernel, Prefetch = policy, BatchInvariant = invariant, PrefillRowTiles = invariant ? 1 : 0 });
            using var reference = new ReferenceBackend();
            foreach (var shape in (AttentionShape[])[new(32, 8, 128, 0.088f), new(8, 8, 64, 0.125f, Window: 40), new(24, 2, 96, 0.1f, SoftCap: 5), new(4, 2, 256, 0.0625f, Growth: new ScaleGrowth(0.3f, 20)), new(3, 3, 80, 0.1f)])
            {
                var seed = Random.Shared.Next();
                float[] expected = Attend(reference, shape, seed), actual = Attend(backend, shape, seed);
                double difference = 0, norm = 0;
                for (var i = 0; i < expected.Length; i++)
                {
                    difference += Math.Pow(expected[i] - actual[i], 2);
                    norm += Math.Pow(expected[i], 2);
                }

                var relative = Math.Sqrt(difference / norm);
                output.WriteLine($"{type} {shape}: {relative:g2}, seed {seed}");
                Assert.True(relative < 1e-2, $"{relative}, {shape}, seed {seed}");
            }
        }
    }

    [Fact]
    public void NoPolicyChangesABit()
    {
        var shape = new AttentionShape(32, 8, 128, 0.088f);
        var seed = Random.Shared.Next();
        float[]? first = null;
        foreach (var (policy, distance) in ((PrefetchPolicy, int)[])[(PrefetchPolicy.Off, 1), (PrefetchPolicy.L2, 1), (PrefetchPolicy.L2, 4), (PrefetchPolicy.Rings, 1), (PrefetchPolicy.Auto, 1)])
        {
            using var backend = Card.Open(new CudaOptions { Prefetch = policy, PrefetchDistance = distance });
            var result = Attend(backend, shape, seed);
            Assert.Equal(first ??= result, result);
        }
    }

    private static float[] Attend(IBackend backend, AttentionShape shape, int seed)
    {
        var random = new Random(seed);
        var result = new List<float>();
        using var pages = backend.AllocateKvPages(KvLayout.Uniform(2, shape.KvHeads, shape.HeadDim, 16), [60]);
        foreach (var round in Rounds)
        {
            var rows = round.Sum(r => r.Count);
            using var step = new Step(backend, pages, new Random(seed), 10, round);
            using var whole = new Step(backend, pages, new Random(seed), 10, [.. Rounds[^1].Select(s => (0, s.Start + s.Count))]);
            var inputs = new StepInputs
            {
                TokenCount = step.Inputs.TokenCount,
                SequenceCount = step.Inputs.SequenceCount,
                SampleCount = step.Inputs.SampleCount,
                TokenIds = step.Inputs.TokenIds,
                Positions = step.Inputs.Positions,
                RotaryLengths = step.Inputs.RotaryLengths,
                RowStarts = step.Inputs.RowStarts,
                BlockTableStarts = whole.Inputs.BlockTableStarts,
                TableStride = 0,
                BlockTables = whole.Inputs.BlockTables,
                SampleRows = step.Inputs.SampleRows,
                Slots = step.Inputs.Slots,
                Pages = pages,
                States = step.Inputs.States,
            };
            Rows qkv = backend.AllocateRows(rows, shape.QkvColumns), table = backend.AllocateRows(rows, 0), to = backend.AllocateRows(rows, shape.QueryColumns);
            var values = Enumerable.Range(0, rows * shape.QkvColumns).Select(_ => (float)((random.NextDouble() * 3) - 1.5)).ToArray();
            if (backend is CudaBackend card)
            {
                card.Write<float>(values, qkv.Buffer);
            }
            else
            {
                for (var row = 0; row < rows; row++)
                {
                    values.AsSpan(row * shape.QkvColumns, shape.QkvColumns).CopyTo(backend.Download(qkv, row));
                }
            }

            backend.RotateAndStore(inputs, 1, qkv, table, RotaryPairs.Halves, shape);
            backend.PagedAttention(inputs, 1, qkv.Slice(0, shape.QueryColumns), to, shape);
            for (var row = 0; row < rows; row++)
            {
                result.AddRange(backend.Download(to, row));
            }
        }

        return [.. result];
    }
}
