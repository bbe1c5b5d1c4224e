using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Conformance;

/// <summary>Attention over contexts of many pages.</summary>
public abstract partial class BackendConformance
{
    /// <summary>Without rotation, so that what is stored is the same to the bit. A prompt, then a token, another chunk and a token, beside a second sequence.</summary>
    [Theory]
    [InlineData(9, 3, 64, 0, 0)]
    [InlineData(4, 1, 80, 0, 0)]
    [InlineData(4, 4, 96, 100, 0)]
    [InlineData(6, 2, 128, 0, 30)]
    [InlineData(2, 1, 256, 270, 0)]
    [InlineData(5, 1, 7, 0, 0)]
    public void LongContextsAreAttended(int heads, int kvHeads, int headDim, int window, float softCap)
    {
        var shape = new AttentionShape(heads, kvHeads, headDim, 1 / MathF.Sqrt(headDim), window, softCap);
        (int Start, int Count)[][] rounds = [[(0, 300), (0, 20)], [(300, 1), (20, 240)], [(301, 70), (260, 1)], [(371, 1), (261, 1)]];
        var inputs = rounds.Select(r => Values(r.Sum(s => s.Count) * shape.QkvColumns)).ToArray();
        var rows = rounds.Sum(r => r.Sum(s => s.Count));
        float[] expected = new float[rows * shape.QueryColumns], actual = new float[expected.Length];
        var seed = _random.Next();
        foreach (var (backend, result) in Both(expected, actual))
        {
            using var pages = backend.AllocateKvPages(KvLayout.Uniform(1, kvHeads, headDim, 16), [48]);
            Poison(backend, pages);
            using var whole = new Step(backend, pages, new Random(seed), 10, [.. rounds[^1].Select(s => (0, s.Start + s.Count))]);
            var rest = result.AsSpan();
            foreach (var (round, values) in rounds.Zip(inputs))
            {
                using var step = new Step(backend, pages, new Random(seed), 10, round);
                var count = round.Sum(s => s.Count);
                AttendPlain(backend, With(step.Inputs, whole.Inputs), shape, values, count, rest[..(count * shape.QueryColumns)]);
                rest = rest[(count * shape.QueryColumns)..];
            }
        }

        AssertClose(expected, actual, LongContextTolerance / Slack);
    }

    /// <summary>What a token gets does not depend on whether its context was cut for several threads.</summary>
    [Theory]
    [InlineData(6, 2, 48, 0)]
    [InlineData(3, 3, 64, 300)]
    [InlineData(1, 1, 80, 0)]
    public void ATokenBehindALongContextHasTheSameBitsWhateverTheChunk(int heads, int kvHeads, int headDim, int window)
    {
        Assert.SkipUnless(AttendsAlikeInAnyChunk, "this backend attends tokens that decode by another kernel");
        const int Tokens = 700, Compared = 60;
        var shape = new AttentionShape(heads, kvHeads, headDim, 0.2f, window);
        var qkv = Values(Tokens * shape.QkvColumns);
        var seed = _random.Next();
        var results = ((int[])[Tokens, 1, 13, 64]).Select(chunk =>
        {
            using var pages = Backend.AllocateKvPages(KvLayout.Uniform(1, kvHeads, headDim, 16), [44]);
            Poison(Backend, pages);
            var result = new float[Tokens * shape.QueryColumns];
            using var whole = new Step(Backend, pages, new Random(seed), 10, (0, Tokens));
            for (var start = 0; start < Tokens;)
            {
                var count = start < Tokens - Compared ? chunk == Tokens ? Tokens : Tokens - Compared : Math.Min(chunk, Tokens - start);
                using var step = new Step(Backend, pages, new Random(seed), 10, (start, count));
                AttendPlain(Backend, With(step.Inputs, whole.Inputs), shape, qkv[(start * shape.QkvColumns)..((start + count) * shape.QkvColumns)], count, result.AsSpan(start * shape.QueryColumns, count * shape.QueryColumns));
                start += count;
            }

            return result;
        }).ToList();
        Assert.All(results, r => Assert.True(MemoryMarshal.AsBytes<float>(r).SequenceEqual(MemoryMarshal.AsBytes<float>(results[0])), $"seed {_seed}"));
    }

    /// <summary>Stores and attends without turning anything.</summary>
    private static void AttendPlain(IBackend backend, StepInputs step, AttentionShape shape, float[] qkv, int rows, Span<float> result)
    {
        Rows input = Upload(backend, qkv, rows, shape.QkvColumns), still = Allocate(backend, rows, 2).Slice(0, 0), output = Poisoned(backend, rows, shape.QueryColumns);
        backend.RotateAndStore(step, 0, input, still, RotaryPairs.Halves, shape);
        backend.PagedAttention(step, 0, input.Slice(0, shape.QueryColumns), output, shape);
        Download(backend, output, rows, result);
    }
}

/// <summary>The number of threads changes no bit of attention, nor does it change what a page keeps.</summary>
public sealed class CpuAttentionTests
{
    [Theory]
    [InlineData("F32")]
    [InlineData("BF16")]
    [InlineData("I8")]
    public void AnyNumberOfThreadsGivesTheSameBits(string cacheName)
    {
        var cache = Enum.Parse<DType>(cacheName);
        var seed = Random.Shared.Next();
        var results = ((int[])[1, 2, 5]).Select(threads =>
        {
            using var backend = CpuBackend.Create(threads, cache: cache);
            var random = new Random(seed);
            var shape = new AttentionShape(8, 2, 64, 0.1f);
            using var pages = backend.AllocateKvPages(KvLayout.Uniform(1, 2, 64, 16), [70]);
            using var step = new Step(backend, pages, new Random(seed), 10, (0, 600), (0, 500));
            using var next = new Step(backend, pages, new Random(seed), 10, (599, 1), (499, 1));
            var (input, still) = (backend.AllocateRows(1100, shape.QkvColumns), backend.AllocateRows(1100, 2).Slice(0, 0));
            for (var row = 0; row < 1100; row++)
            {
                foreach (ref var value in backend.Download(input, row))
                {
                    value = (float)((random.NextDouble() * 2) - 1);
                }
            }

            var output = backend.AllocateRows(2, shape.QueryColumns);
            backend.RotateAndStore(step.Inputs, 0, input, still, RotaryPairs.Halves, shape);
            backend.PagedAttention(next.Inputs, 0, input.Slice(0, shape.QueryColumns), output, shape);
            GC.KeepAlive(input.Buffer);
            GC.KeepAlive(still.Buffer);
            return backend.Download(output, 0).ToArray().Concat(backend.Download(output, 1).ToArray()).ToArray();
        }).ToList();
        Assert.All(results, r => Assert.True(MemoryMarshal.AsBytes<float>(r).SequenceEqual(MemoryMarshal.AsBytes<float>(results[0])), $"seed {seed}"));
    }
}
