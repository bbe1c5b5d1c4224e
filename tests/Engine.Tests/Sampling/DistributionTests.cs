using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Sampling;

namespace KvPrefetch.Tests.Sampling;

public class DistributionTests
{
    private const int Draws = 20_000;

    public static TheoryData<string> Cases => new(Options.Keys);

    private static readonly Dictionary<string, SamplingOptions> Options = new(StringComparer.Ordinal)
    {
        ["plain"] = new(),
        ["cold"] = new() { Temperature = 0.4f },
        ["hot"] = new() { Temperature = 3f },
        ["top-k"] = new() { TopK = 7 },
        ["top-k 1"] = new() { TopK = 1 },
        ["top-k above the vocabulary"] = new() { TopK = 1000 },
        ["top-p"] = new() { TopP = 0.8f },
        ["top-p tiny"] = new() { TopP = 1e-6f },
        ["min-p"] = new() { MinP = 0.1f },
        ["min-p one"] = new() { MinP = 1 },
        ["top-k and top-p"] = new() { TopK = 12, TopP = 0.7f, Temperature = 1.5f },
        ["top-p and min-p"] = new() { TopP = 0.95f, MinP = 0.05f, Temperature = 2f },
        ["all filters"] = new() { TopK = 20, TopP = 0.9f, MinP = 0.08f, Temperature = 1.3f },
        ["penalties"] = new() { FrequencyPenalty = 0.5f, PresencePenalty = 0.3f, RepetitionPenalty = 1.3f },
        ["negative penalties"] = new() { FrequencyPenalty = -0.5f, PresencePenalty = -0.3f, RepetitionPenalty = 0.8f },
        ["bias"] = new() { LogitBias = new Dictionary<int, float> { [0] = float.NegativeInfinity, [5] = 2, [9] = -1 } },
        ["everything"] = new()
        {
            Temperature = 0.9f, TopK = 25, TopP = 0.92f, MinP = 0.02f, FrequencyPenalty = 0.2f, PresencePenalty = 0.1f, RepetitionPenalty = 1.1f,
            LogitBias = new Dictionary<int, float> { [1] = float.NegativeInfinity, [2] = 1 },
        },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Tokens_come_as_often_as_the_formulas_say(string name)
    {
        var options = Options[name];
        var logits = Logits(50, seed: 3);
        int[] prompt = [1, 2, 2, 40], generated = [3, 3, 3, 40, 5];
        var (expected, _) = ReferenceSampling.Probabilities(logits, options, prompt, generated);
        var sampler = new Sampler(logits.Length);
        var counts = new int[logits.Length];
        for (var seed = 0UL; seed < Draws; seed++)
        {
            counts[Pick(sampler, logits, options with { Seed = seed }, prompt, generated)]++;
        }

        Assert.True(ChiSquare.Fits(counts, expected), name);
    }

    [Fact]
    public void Tokens_of_one_request_come_as_often_as_the_formulas_say()
    {
        var logits = Logits(50, seed: 5);
        var sequence = new Sequence(0, [1], Draws + 10, new SamplingOptions { Seed = 42, TopP = 0.9f }, []);
        var sampler = new Sampler(logits.Length);
        var counts = new int[logits.Length];
        for (var i = 0; i < Draws; i++)
        {
            var token = sampler.Pick(sequence, (float[])logits.Clone());
            counts[token]++;
            sequence.Append(token);
        }

        Assert.True(ChiSquare.Fits(counts, ReferenceSampling.Probabilities(logits, sequence.Sampling, [], []).Probabilities));
    }

    /// <summary>The test of the test: each rule slightly off must be seen.</summary>
    [Theory]
    [InlineData("cold", "plain")]
    [InlineData("plain", "top-p")]
    [InlineData("top-p", "plain")]
    [InlineData("top-k", "top-k and top-p")]
    [InlineData("penalties", "plain")]
    [InlineData("bias", "plain")]
    [InlineData("min-p", "top-p and min-p")]
    public void The_test_sees_a_wrong_distribution(string sampled, string claimed)
    {
        var logits = Logits(50, seed: 3);
        int[] prompt = [1, 2, 2, 40], generated = [3, 3, 3, 40, 5];
        var (expected, _) = ReferenceSampling.Probabilities(logits, Options[claimed], prompt, generated);
        var sampler = new Sampler(logits.Length);
        var counts = new int[logits.Length];
        for (var seed = 0UL; seed < Draws; seed++)
        {
            counts[Pick(sampler, logits, Options[sampled] with { Seed = seed }, prompt, generated)]++;
        }

        Assert.False(ChiSquare.Fits(counts, expected));
    }

    /// <summary>Draw for draw: the token is the one at which the exact running sum passes the random number.</summary>
    [Fact]
    public void Every_draw_is_the_one_that_the_exact_probabilities_give()
    {
        const int Rounds = 3000;
        var compared = 0;
        for (var round = 0; round < Rounds; round++)
        {
            var random = new Random(round);
            var vocabulary = random.Next(1, random.Next(2) == 0 ? 40 : 4000);
            var logits = Logits(vocabulary, round, scale: random.Next(4) switch { 0 => 0, 1 => 1, 2 => 4, _ => 20 }, ties: random.Next(2) == 0);
            var prompt = Enumerable.Range(0, random.Next(1, 20)).Select(_ => random.Next(vocabulary)).ToArray();
            var generated = Enumerable.Range(0, random.Next(0, 50)).Select(_ => random.Next(vocabulary)).ToArray();
            var options = new SamplingOptions
            {
                Seed = (ulong)random.NextInt64(),
                Temperature = random.Next(4) switch { 0 => 0, 1 => 1, _ => (float)(random.NextDouble() * 3) + 0.05f },
                TopK = random.Next(2) == 0 ? 0 : random.Next(1, vocabulary + 10),
                TopP = random.Next(2) == 0 ? 1 : (float)random.NextDouble() + 1e-9f,
                MinP = random.Next(2) == 0 ? 0 : (float)random.NextDouble(),
                FrequencyPenalty = random.Next(2) == 0 ? 0 : (float)(random.NextDouble() * 4) - 2,
                PresencePenalty = random.Next(2) == 0 ? 0 : (float)(random.NextDouble() * 4) - 2,
                RepetitionPenalty = random.Next(2) == 0 ? 1 : (float)(random.NextDouble() * 2) + 0.01f,
                LogitBias = random.Next(2) == 0 ? null : new Dictionary<int, float> { [random.Next(vocabulary)] = (float)(random.NextDouble() * 8) - 4 },
            };
            options = options with { TopP = Math.Min(1, options.TopP) };
            var (expected, margin) = ReferenceSampling.Probabilities(logits, options, prompt, generated);
            var token = Pick(new Sampler(vocabulary), logits, options, prompt, generated);
            Assert.True(expected[token] > 0 || margin < 1e-5, $"round {round}: token {token} should never come");

            var u = RandomStream.Uniform(options.Seed, generated.Length);
            var sum = 0.0;
            var exact = 0;
            while (exact < vocabulary - 1 && sum + expected[exact] <= u)
            {
                sum += expected[exact++];
            }

            // Next to a boundary float and double may fall on either side.
            if (margin > 1e-5 && u - sum > 1e-5 && sum + expected[exact] - u > 1e-5)
            {
                Assert.True(exact == token, $"round {round}: {exact} expected, {token} drawn");
                compared++;
            }
        }

        Assert.InRange(compared, Rounds * 3 / 4, Rounds);
    }

    [Fact]
    public void Top_k_keeps_what_equals_the_last()
    {
        float[] logits = [1, 3, 2, 3, 2, 2, 0];
        var tokens = Enumerable.Range(0, 500).Select(s => Pick(new Sampler(7), logits, new() { TopK = 3, Seed = (ulong)s }, [0], [])).Distinct().Order();
        Assert.Equal([1, 2, 3, 4, 5], tokens);
    }

    [Fact]
    public void Top_p_keeps_the_lower_ids_of_equals()
    {
        float[] logits = [1, 1, 1, 1];
        var tokens = Enumerable.Range(0, 500).Select(s => Pick(new Sampler(4), logits, new() { TopP = 0.5f, Seed = (ulong)s }, [0], [])).Distinct().Order();
        Assert.Equal([0, 1], tokens);
    }

    /// <summary>Where the filter's edge lies further from the likeliest token than is looked at first.</summary>
    [Fact]
    public void Top_p_reaches_tokens_that_are_far_from_the_likeliest()
    {
        var logits = Enumerable.Repeat(-11.5f, 4001).ToArray();
        logits[0] = 0;
        var weight = Math.Exp(-11.5);
        var last = (int)Math.Ceiling(((0.98 * (1 + (4000 * weight))) - 1) / weight);
        var tokens = Enumerable.Range(0, 3000).Select(s => Pick(new Sampler(4001), logits, new() { TopP = 0.98f, Seed = (ulong)s }, [0], [])).ToArray();
        Assert.InRange(tokens.Count(t => t > 0), 20, 120);
        Assert.InRange(tokens.Max(), last * 3 / 4, last + 1);
    }

    [Fact]
    public void Top_k_reaches_tokens_that_are_far_from_the_likeliest()
    {
        var logits = Enumerable.Range(0, 100_000).Select(i => -12 - (i * 1e-5f)).ToArray();
        logits[0] = 0;
        var sampler = new Sampler(logits.Length);
        var tokens = Enumerable.Range(0, 400).Select(s => Pick(sampler, logits, new() { TopK = 20_000, Seed = (ulong)s }, [0], [])).ToArray();
        Assert.InRange(tokens.Count(t => t > 0), 20, 80);
        Assert.InRange(tokens.Max(), 10_000, 20_000);
    }

    internal static int Pick(Sampler sampler, float[] logits, SamplingOptions options, int[] prompt, int[] generated)
    {
        var sequence = new Sequence(0, prompt, prompt.Length + generated.Length + 1, options, []);
        Array.ForEach(generated, sequence.Append);
        return sampler.Pick(sequence, (float[])logits.Clone());
    }

    internal static float[] Logits(int count, int seed, double scale = 2, bool ties = false)
    {
        var random = new Random(seed);
        return Enumerable.Range(0, count).Select(_ =>
        {
            var normal = scale * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            return (float)(ties ? Math.Round(normal) : normal);
        }).ToArray();
    }
}
