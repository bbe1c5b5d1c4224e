using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Conformance;

/// <summary>Attention whose values lie in its keys, and products head by head.</summary>
public abstract partial class BackendConformance
{
    [Theory]
    [InlineData(16, 576, 512, 64, 0, false)]
    [InlineData(6, 37, 32, 4, 0, true)]
    [InlineData(5, 24, 24, 0, 20, false)]
    [InlineData(1, 18, 1, 10, 7, false)]
    public void ValuesMayLieInTheKeys(int heads, int headDim, int valueDim, int rotaryDim, int window, bool sinks)
    {
        var plain = new AttentionShape(heads, 1, headDim, 0.11f, window, SoftCap: sinks ? 4 : 0) { ValuesInKeys = valueDim };
        const int Tokens = 75;
        float[] qkv = Values(Tokens * plain.QkvColumns), sink = Values(heads);
        float[] expected = new float[Tokens * plain.OutputColumns], actual = new float[expected.Length];
        var seed = _random.Next();
        foreach (var (backend, result) in Both(expected, actual))
        {
            using var pinned = new Pinned(MemoryMarshal.AsBytes<float>(sink).ToArray());
            Attend(backend, sinks ? plain with { Sinks = backend.LoadVector("sinks", DType.F32, heads, pinned[0]) } : plain, qkv, Tokens, rotaryDim, seed).CopyTo(result, 0);
        }

        AssertClose(expected, actual, 5e-6);
        Assert.All((int[])[1, 7, 16, 40], chunk => Assert.True(sinks || !AttendsAlikeInAnyChunk || MemoryMarshal.AsBytes<float>(Attend(Backend, plain, qkv, chunk, rotaryDim, seed)).SequenceEqual(MemoryMarshal.AsBytes<float>(actual)), $"chunk {chunk}, seed {_seed}"));
    }

    /// <summary>Kept columns are copied; a row has the same bits alone and among others.</summary>
    [Theory]
    [InlineData("BF16", 7, 3, 33, 19)]
    [InlineData("F16", 4, 0, 64, 32)]
    [InlineData("F32", 3, 8, 5, 70)]
    [InlineData("BF16", 1, 64, 128, 130)]
    public void AProductByHeadIsAProductForEachHead(string typeName, int heads, int kept, int inputs, int outputs)
    {
        var type = Enum.Parse<DType>(typeName);
        const int Rows = 11;
        using var pinned = new Pinned([.. Enumerable.Range(0, heads).Select(_ => WeightBytes(type, outputs * inputs))]);
        int from = heads * (kept + inputs), to = heads * (kept + outputs);
        var x = InputsOfProducts(Rows * (from + 5));
        float[] expected = new float[Rows * to], actual = new float[expected.Length];
        foreach (var (backend, result) in Both(expected, actual))
        {
            Projection[] matrices = [.. Enumerable.Range(0, heads).Select(h => new Projection(backend.LoadMatrix("w", type, outputs, inputs, pinned[h]), Bias: null))];
            Rows input = Upload(backend, x, Rows, from + 5).Slice(2, from), output = Poisoned(backend, Rows, to + 9).Slice(4, to);
            backend.LinearByHead(input, kept, matrices, output, Rows);
            Download(backend, output, Rows, result);
            for (var row = 0; row < Rows; row++)
            {
                var alone = Poisoned(backend, 1, to);
                backend.LinearByHead(Upload(backend, x[((row * (from + 5)) + 2)..((row * (from + 5)) + 2 + from)], 1, from), kept, matrices, alone, 1);
                var bits = new float[to];
                Download(backend, alone, 1, bits);
                Assert.True(MemoryMarshal.AsBytes<float>(bits).SequenceEqual(MemoryMarshal.AsBytes<float>(result.AsSpan(row * to, to))), $"row {row}, seed {_seed}");
            }
        }

        AssertClose(expected, actual, 1e-5);
    }

    /// <summary>A sequence in chunks, through RotateAndStore and PagedAttention.</summary>
    private static float[] Attend(IBackend backend, AttentionShape shape, float[] qkv, int chunk, int rotaryDim, int seed)
    {
        var tokens = qkv.Length / shape.QkvColumns;
        using var pages = backend.AllocateKvPages(new KvLayout([new KvLayer(shape.KvHeads, shape.HeadDim) { ValueDim = 0 }], 16), [8]);
        Poison(backend, pages);
        var result = new float[tokens * shape.OutputColumns];
        using var whole = new Step(backend, pages, new Random(seed), 10, (0, tokens));
        var frequencies = new RotaryFrequencies([.. Enumerable.Range(0, rotaryDim / 2).Select(i => 1f / (i + 1))], 1f);
        for (var start = 0; start < tokens; start += chunk)
        {
            var count = Math.Min(chunk, tokens - start);
            using var step = new Step(backend, pages, new Random(seed), 10, (start, count));
            var inputs = With(step.Inputs, whole.Inputs);
            var input = Upload(backend, qkv[(start * shape.QkvColumns)..((start + count) * shape.QkvColumns)], count, shape.QkvColumns);
            Rows table = Poisoned(backend, count, rotaryDim), output = Poisoned(backend, count, shape.OutputColumns);
            backend.RotaryTable(inputs, frequencies, table);
            backend.RotateAndStore(inputs, 0, input, table, RotaryPairs.Neighbours, shape);
            backend.PagedAttention(inputs, 0, input.Slice(0, shape.QueryColumns), output, shape);
            Download(backend, output, count, result.AsSpan(start * shape.OutputColumns, count * shape.OutputColumns));
        }

        return result;
    }
}
