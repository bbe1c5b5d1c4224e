using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Sampling;

namespace KvPrefetch.Tests.Sampling;

/// <summary>From a summary the same tokens as from the whole row, and only seldom the row itself.</summary>
public sealed class SummarySamplerTests(ITestOutputHelper output)
{
    public static TheoryData<string> Kinds { get; } = ["peaked", "flat", "ties", "few", "mixed"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void TheTokensAreThoseOfTheSampler(string kind)
    {
        const int Vocabulary = 6000;
        using var backend = new ReferenceBackend();
        var seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var sampler = new Sampler(Vocabulary);
        using var summaries = new SummarySampler(backend, new Sampler(Vocabulary), 1, Vocabulary);
        for (var round = 0; round < 400; round++)
        {
            float[] logits = [.. Enumerable.Range(0, Vocabulary).Select(i => Logit(random, kind, i))];
            var options = new SamplingOptions
            {
                Temperature = random.Next(6) == 0 ? 0 : 0.05f + (2 * random.NextSingle()),
                TopK = random.Next(2) == 0 ? 0 : 1 + random.Next(random.Next(2) == 0 ? 20 : 400),
                TopP = random.Next(2) == 0 ? 1 : 0.01f + (0.99f * random.NextSingle()),
                MinP = random.Next(3) == 0 ? 0.5f * random.NextSingle() * random.NextSingle() : 0,
                PresencePenalty = random.Next(10) == 0 ? 0.5f : 0,
                LogitBias = random.Next(10) == 0 ? new Dictionary<int, float> { [5] = 3 } : null,
                Seed = (ulong)random.NextInt64(),
            };
            Bits? constraint = random.Next(4) == 0 ? new Bits(random, Vocabulary) : null;
            var sequence = new Sequence(1, [1, 2, 3], 100, options, [7, 9]) { Constraint = constraint };
            var batch = new Batch(1);
            batch.Add(sequence, 3);
            var rows = backend.AllocateRows(1, Vocabulary);
            logits.CopyTo(backend.Download(rows, 0));
            summaries.Begin(batch, rows);
            var actual = summaries.Pick(0, sequence);
            var expected = sampler.Pick(sequence, [.. logits]);
            Assert.True(expected == actual, $"round {round}: {actual} for {expected}, {options}");
        }
    }

    [Fact]
    public void GP07_WhatIsNotFiniteFailsThatRequestAsItDoesThere()
    {
        using var backend = new ReferenceBackend();
        using var summaries = new SummarySampler(backend, new Sampler(100), 1, 100);
        foreach (var bad in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
        {
            var sequence = new Sequence(1, [1], 100, new SamplingOptions { Temperature = 0 }, []);
            var batch = new Batch(1);
            batch.Add(sequence, 1);
            var rows = backend.AllocateRows(1, 100);
            backend.Download(rows, 0).Fill(float.IsNegativeInfinity(bad) ? bad : 1);
            backend.Download(rows, 0)[50] = bad;
            summaries.Begin(batch, rows);
            Assert.Equal(float.IsNegativeInfinity(bad) ? "NoValidToken" : "NonFiniteLogits", Assert.Throws<NumericalFaultException>(() => summaries.Pick(0, sequence)).Code);
        }
    }

    private static float Logit(Random random, string kind, int i) => kind switch
    {
        "peaked" => (float)(random.NextDouble() * 4) + (random.Next(500) == 0 ? 12 : 0),
        "flat" => random.NextSingle() * 0.01f,
        "ties" => random.Next(30),
        "few" => random.Next(100) == 0 ? random.NextSingle() * 5 : float.NegativeInfinity,
        _ => (i % 7) + (random.NextSingle() * random.Next(1, 20)),
    };

    private sealed class Bits(Random random, int vocabulary) : TokenConstraint
    {
        private readonly uint[] _bits = [.. Enumerable.Range(0, (vocabulary / 32) + 2).Select(_ => (uint)random.Next() | 1)];
        private readonly bool _canEnd = random.Next(2) == 0;

        public override ReadOnlySpan<int> Forced => [];

        public override ReadOnlySpan<uint> Allowed(out bool canEnd)
        {
            canEnd = _canEnd;
            return _bits;
        }

        public override void Advance(int token)
        {
        }
    }
}
