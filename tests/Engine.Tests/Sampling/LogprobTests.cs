using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Sampling;

namespace KvPrefetch.Tests.Sampling;

public class LogprobTests
{
    private static Sequence Sequence(SamplingOptions options) => new(1, [1, 2], 10, options, []);

    [Theory]
    [InlineData(5, 20)]
    [InlineData(64, 20)]
    [InlineData(1000, 0)]
    [InlineData(1000, 7)]
    [InlineData(50_001, 20)]
    public void They_are_the_logarithms_of_the_softmax_of_the_rows_that_the_model_gave(int vocabulary, int count)
    {
        var logits = DistributionTests.Logits(vocabulary, seed: 3);
        logits[vocabulary / 2] = logits[vocabulary / 3];
        var sum = logits.Sum(l => Math.Exp(l));
        var expected = logits.Select((logit, id) => (Id: id, Value: logit - Math.Log(sum))).OrderByDescending(e => e.Value).ThenBy(e => e.Id).Take(count).ToList();
        var sampler = new Sampler(vocabulary);
        var token = sampler.Pick(Sequence(new() { Logprobs = count, Temperature = 3, TopK = 2, Seed = 9, LogitBias = new Dictionary<int, float> { [4] = -5 } }), (float[])logits.Clone());
        var logprobs = sampler.Logprobs!;
        Assert.Equal(token, logprobs.Chosen.Token);
        Assert.Equal(logits[token] - Math.Log(sum), logprobs.Chosen.Logprob, 1e-4);
        Assert.Equal(expected.Select(e => e.Id), logprobs.Top.Select(t => t.Token));
        Assert.All(expected.Zip(logprobs.Top), pair => Assert.Equal(pair.First.Value, pair.Second.Logprob, 1e-4));
    }

    [Fact]
    public void A_token_that_the_model_rules_out_has_none_and_the_next_request_that_asks_for_nothing_gets_nothing()
    {
        var sampler = new Sampler(4);
        sampler.Pick(Sequence(new() { Logprobs = 4 }), [0, float.NegativeInfinity, 0, float.NegativeInfinity]);
        Assert.Equal([0, 2, 1, 3], sampler.Logprobs!.Top.Select(t => t.Token));
        Assert.True(float.IsNegativeInfinity(sampler.Logprobs.Top[3].Logprob));
        sampler.Pick(Sequence(new()), new float[4]);
        Assert.Null(sampler.Logprobs);
    }

    [Fact]
    public void Off_they_cost_no_memory()
    {
        var sampler = new Sampler(1000);
        var sequence = Sequence(new() { Temperature = 0 });
        var logits = new float[1000];
        sampler.Pick(sequence, logits);
        var before = GC.GetAllocatedBytesForCurrentThread();
        sampler.Pick(sequence, logits);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
