using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Layers;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Models;

/// <summary>Layer norms of heads, which no golden has.</summary>
public sealed class HeadNormTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public unsafe void EveryHeadOfQAndKIsNormedByItselfAndVIsLeftAlone(bool own)
    {
        const int Heads = 4, KvHeads = 2, HeadDim = 6, Rows = 3;
        const float Epsilon = 1e-5f;
        using var backend = CpuBackend.Create(1);
        var shape = new AttentionShape(Heads, KvHeads, HeadDim, 1);
        var random = new Random(1);
        float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2)];
        DeviceBuffer Load(float[] values)
        {
            fixed (float* address = values)
            {
                return backend.LoadVector("v", DType.F32, values.Length, (nint)address);
            }
        }

        var gains = Enumerable.Range(0, Heads + KvHeads).Select(_ => Values(HeadDim)).ToArray();
        var norms = gains.Select(g => new Norm(Load(g), Bias: null, Epsilon, Centered: true)).ToArray();
        var both = own ? new HeadLayerNorms(norms[..Heads], norms[Heads..]) : new HeadLayerNorms([norms[0]], [norms[Heads]]);
        var rows = backend.AllocateRows(Rows, shape.QkvColumns);
        var input = Values(Rows * shape.QkvColumns);
        for (var row = 0; row < Rows; row++)
        {
            input.AsSpan(row * shape.QkvColumns, shape.QkvColumns).CopyTo(backend.Download(rows, row));
        }

        both.Forward(backend, rows, shape, Rows);
        for (var row = 0; row < Rows; row++)
        {
            for (var head = 0; head < Heads + (2 * KvHeads); head++)
            {
                var x = input.AsSpan((row * shape.QkvColumns) + (head * HeadDim), HeadDim).ToArray();
                var (mean, gain) = (x.Average(), gains[own ? Math.Min(head, Heads + KvHeads - 1) : head < Heads ? 0 : Heads]);
                var deviation = MathF.Sqrt(x.Average(v => (v - mean) * (v - mean)) + Epsilon);
                var expected = head < Heads + KvHeads ? x.Select((v, i) => (v - mean) / deviation * gain[i]).ToArray() : x;
                Assert.All(expected.Zip(backend.Download(rows, row).Slice(head * HeadDim, HeadDim).ToArray()), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
            }
        }
    }
}
