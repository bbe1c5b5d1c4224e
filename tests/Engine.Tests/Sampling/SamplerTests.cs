using KvPrefetch.Engine;
using KvPrefetch.Engine.Numerics;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Sampling;

namespace KvPrefetch.Tests.Sampling;

public class SamplerTests
{
    private static readonly SamplingOptions Greedy = new() { Temperature = 0 };

    [Theory]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(1000)]
    public void Greedy_takes_the_largest_wherever_it_lies(int vocabulary)
    {
        var logits = DistributionTests.Logits(vocabulary, seed: 1);
        for (var best = 0; best < vocabulary; best++)
        {
            var row = (float[])logits.Clone();
            row[best] = 50;
            Assert.Equal(best, new Sampler(vocabulary).Pick(Sequence(Greedy), row));
        }
    }

    [Fact]
    public void GP09_greedy_takes_the_lowest_id_of_equals()
    {
        var sampler = new Sampler(100);
        Assert.Equal(0, sampler.Pick(Sequence(Greedy), new float[100]));
        var logits = new float[100];
        logits.AsSpan().Fill(-7);
        logits[37] = logits[40] = logits[99] = -1;
        Assert.Equal(37, sampler.Pick(Sequence(Greedy), logits));
        logits.AsSpan().Fill(-1);
        logits[3] = -0f;
        logits[70] = 0f;
        Assert.Equal(3, sampler.Pick(Sequence(Greedy), logits));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void GP07_a_logit_that_is_not_finite_fails_this_request(float bad)
    {
        var sampler = new Sampler(100);
        foreach (var options in new[] { Greedy, new SamplingOptions(), new SamplingOptions { TopK = 3, TopP = 0.5f, RepetitionPenalty = 2 } })
        {
            foreach (var where in new[] { 0, 15, 16, 63, 64, 99 })
            {
                var logits = DistributionTests.Logits(100, seed: 1);
                logits[where] = bad;
                Assert.Equal("NonFiniteLogits", Assert.Throws<NumericalFaultException>(() => sampler.Pick(Sequence(options), logits)).Code);

                // The next row is not touched by it.
                Assert.InRange(sampler.Pick(Sequence(options), DistributionTests.Logits(100, seed: 1)), 0, 99);
            }
        }
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(1f)]
    public void GP09_CR09_no_token_left_fails_this_request(float temperature)
    {
        var sampler = new Sampler(5);
        var all = Enumerable.Range(0, 5).ToDictionary(t => t, _ => float.NegativeInfinity);
        var sequence = Sequence(new() { Temperature = temperature, LogitBias = all });
        Assert.Equal("NoValidToken", Assert.Throws<NumericalFaultException>(() => sampler.Pick(sequence, [1, 2, 3, 4, 5])).Code);
        var none = Enumerable.Repeat(float.NegativeInfinity, 5).ToArray();
        Assert.Equal("NoValidToken", Assert.Throws<NumericalFaultException>(() => sampler.Pick(Sequence(new() { Temperature = temperature }), none)).Code);

        all.Remove(3);
        sequence = Sequence(new() { Temperature = temperature, LogitBias = all, TopK = 2, TopP = 0.5f, MinP = 0.5f });
        Assert.Equal(3, sampler.Pick(sequence, [1, 2, 3, -4, 5]));
    }

    [Fact]
    public void GP09_logits_that_are_all_equal_or_huge_are_sampled_like_any_other()
    {
        var sampler = new Sampler(64);
        foreach (var level in new[] { 0f, 1e38f, -1e38f, 3.4e38f, -3.4e38f })
        {
            var counts = new int[64];
            for (var seed = 0UL; seed < 6400; seed++)
            {
                var logits = new float[64];
                logits.AsSpan().Fill(level);
                counts[sampler.Pick(Sequence(new() { Seed = seed }), logits)]++;
            }

            Assert.True(ChiSquare.Fits(counts, Enumerable.Repeat(1 / 64.0, 64).ToArray()), $"level {level}");
        }

        var spread = new float[64];
        spread.AsSpan().Fill(-3.4e38f);
        spread[20] = 3.4e38f;
        foreach (var temperature in new[] { 1e-45f, 1e-30f, 0.01f, 1, 100 })
        {
            Assert.Equal(20, sampler.Pick(Sequence(new() { Temperature = temperature }), (float[])spread.Clone()));
        }
    }

    [Theory]
    [InlineData(1e-45f)]
    [InlineData(1e-30f)]
    [InlineData(1e-6f)]
    public void CR07_the_smallest_temperatures_are_greedy_but_for_equals(float temperature)
    {
        var sampler = new Sampler(200);
        var logits = DistributionTests.Logits(200, seed: 2);
        var best = Array.IndexOf(logits, logits.Max());
        Assert.Equal(best, sampler.Pick(Sequence(new() { Temperature = temperature, TopP = 0.9f, TopK = 50, MinP = 0.01f }), logits));
    }

    [Fact]
    public void CR11_the_same_seed_gives_the_same_tokens_alone_or_among_others()
    {
        var sampler = new Sampler(300);
        var seeds = new ulong[] { 0, 1, (1UL << 53) + 1, unchecked((ulong)-5L), ulong.MaxValue };
        var alone = seeds.Select(seed => Generate(new Sampler(300), Sequence(Options(seed)))).ToArray();
        Assert.Equal(seeds.Length, alone.Select(t => string.Join(',', t)).Distinct(StringComparer.Ordinal).Count());

        var together = seeds.Select(seed => Sequence(Options(seed))).ToArray();
        for (var i = 0; i < 40; i++)
        {
            foreach (var sequence in together.Reverse())
            {
                sequence.Append(sampler.Pick(sequence, LogitsAfter(sequence)));
            }
        }

        for (var i = 0; i < seeds.Length; i++)
        {
            Assert.Equal(alone[i], together[i].Tokens[3..].ToArray());
        }

        static SamplingOptions Options(ulong seed) => new() { Seed = seed, Temperature = 1.2f, TopK = 100, TopP = 0.95f, FrequencyPenalty = 0.4f, RepetitionPenalty = 1.1f };
    }

    [Fact]
    public void KV04_a_sequence_that_is_started_again_with_its_tokens_goes_on_as_before()
    {
        var options = new SamplingOptions { Seed = 9, PresencePenalty = 0.5f, FrequencyPenalty = 0.4f, RepetitionPenalty = 1.2f, TopP = 0.9f };
        var whole = Generate(new Sampler(300), Sequence(options));
        var again = Sequence(options);
        foreach (var token in whole[..17])
        {
            again.Append(token);
        }

        Assert.Equal(whole[17..], Generate(new Sampler(300), again));
    }

    [Fact]
    public void Allocates_nothing()
    {
        var sampler = new Sampler(5000);
        var logits = DistributionTests.Logits(5000, seed: 8);
        var row = new float[5000];
        var sequence = Sequence(new()
        {
            TopK = 3000, TopP = 0.9f, MinP = 0.001f, RepetitionPenalty = 1.1f, FrequencyPenalty = 0.1f, LogitBias = new Dictionary<int, float> { [4] = 1 },
        });
        logits.CopyTo(row, 0);
        sampler.Pick(sequence, row);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 20; i++)
        {
            logits.CopyTo(row, 0);
            sequence.Append(sampler.Pick(sequence, row));
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Exponentials_are_exact_to_two_units_in_the_last_place()
    {
        var logits = Enumerable.Range(0, 100_001).Select(i => i * -0.001f).ToArray();
        var weights = new float[logits.Length];
        SoftWeights.Exponentials(logits, 0, 1, weights);
        for (var i = 0; i < logits.Length; i++)
        {
            var exact = logits[i] < -87 ? 0 : Math.Exp(logits[i]);
            Assert.InRange(Math.Abs(weights[i] - exact), 0, exact * 2.4e-7);
        }

        Assert.Equal(1, weights[0]);
        SoftWeights.Exponentials([float.NegativeInfinity, 0], 0, float.MaxValue, weights);
        Assert.Equal((0f, 1f), (weights[0], weights[1]));
    }

    private static int[] Generate(Sampler sampler, Sequence sequence)
    {
        var start = sequence.Count;
        while (sequence.GeneratedCount < 40)
        {
            sequence.Append(sampler.Pick(sequence, LogitsAfter(sequence)));
        }

        return sequence.Tokens[start..].ToArray();
    }

    private static float[] LogitsAfter(Sequence sequence) => DistributionTests.Logits(300, (sequence.Tokens[^1] * 1000) + sequence.Count);

    private static Sequence Sequence(SamplingOptions options) => new(0, [0, 1, 1], 100, options, []);
}
