using KvPrefetch.Engine.KvCache;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Sampling;
using KvPrefetch.Engine.Scheduling;

namespace KvPrefetch.Tests.Simulation;

/// <summary>Real sampling, with penalties, filters and random streams, over the model of hashes: what a request gives must not depend on who shares the pool.</summary>
public class PreemptionTests
{
    private const int Vocabulary = Scenario.Vocabulary;

    [Fact]
    public void KV02_KV04_two_thousand_requests_under_a_thousand_preemptions_give_the_tokens_that_they_give_alone()
    {
        var (requests, preemptions) = (0, 0L);
        for (var seed = 1UL; requests < 2000 || preemptions < 1000; seed++)
        {
            var rng = new Rng(seed);
            var pageSize = rng.Between(1, 16);
            var crowd = Enumerable.Range(0, 16).Select(id => Request(id, rng)).ToArray();
            var longest = crowd.Max(s => s.MaxTokens);
            var pages = ((longest + pageSize - 1) / pageSize) + rng.Next(longest * 2 / pageSize);
            preemptions += Run(crowd, pages, pageSize, maxBatchTokens: rng.Between(8, 64));
            requests += crowd.Length;
            foreach (var sequence in crowd)
            {
                var alone = new Sequence(7, sequence.Tokens[..sequence.PromptCount], sequence.MaxTokens, sequence.Sampling, [0]);
                Assert.Equal(0, Run([alone], pages: 1, pageSize: 256, maxBatchTokens: rng.Between(1, 64)));
                Assert.True(alone.Tokens.SequenceEqual(sequence.Tokens) && alone.Finish == sequence.Finish, $"seed {seed}, request {sequence.Id}");
            }
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{requests} requests, {preemptions} preemptions");
    }

    private static Sequence Request(int id, Rng rng)
    {
        float Share(int hundredths) => rng.Next(hundredths + 1) / 100f;
        var options = new SamplingOptions
        {
            Seed = rng.Next(),
            Temperature = rng.Chance(0.25) ? 0 : 0.5f + Share(100),
            TopK = rng.Chance(0.5) ? 0 : rng.Between(1, Vocabulary),
            TopP = rng.Chance(0.5) ? 1 : 0.5f + Share(49),
            MinP = rng.Chance(0.5) ? 0 : Share(10),
            FrequencyPenalty = rng.Chance(0.5) ? 0 : Share(200),
            PresencePenalty = rng.Chance(0.5) ? 0 : Share(200),
            RepetitionPenalty = rng.Chance(0.5) ? 1 : 1 + Share(100),
            LogitBias = rng.Chance(0.5) ? null : new Dictionary<int, float> { [rng.Next(Vocabulary)] = Share(500), [rng.Next(Vocabulary)] = float.NegativeInfinity },
        };
        var prompt = Enumerable.Range(0, rng.Between(1, 20)).Select(_ => rng.Next(Vocabulary)).ToArray();
        return new Sequence(id, prompt, prompt.Length + rng.Between(20, 100), options, [0]);
    }

    /// <summary>Runs the sequences to their ends; returns how many preemptions that took.</summary>
    private static long Run(Sequence[] sequences, int pages, int pageSize, int maxBatchTokens)
    {
        var pool = new PagePool(pages, pageSize);
        var scheduler = new Scheduler(pool, 16, maxBatchTokens);
        var model = new HashModel(pages, pageSize, 16, Vocabulary);
        var sampler = new Sampler(Vocabulary);
        var tokens = new int[16];
        var logits = new float[Vocabulary];
        Array.ForEach(sequences, scheduler.Add);
        for (var batch = scheduler.Next(); batch.Count > 0; batch = scheduler.Next())
        {
            for (var i = 0; i < batch.Count; i++)
            {
                model.Store(batch[i].Sequence, batch[i].Start, batch[i].Count);
            }

            var sampled = 0;
            for (var i = 0; i < batch.Count; i++)
            {
                ref readonly var item = ref batch[i];
                if (item.Samples)
                {
                    var hash = model.Next(item.Sequence, item.Sequence.Count).Hash;
                    for (var t = 0; t < Vocabulary; t++)
                    {
                        logits[t] = ((Rng.Mix(hash + (ulong)t) >> 40) * (8f / (1 << 24))) - 4;
                    }

                    tokens[sampled++] = sampler.Pick(item.Sequence, logits);
                }
            }

            scheduler.Commit(batch, tokens.AsSpan(0, sampled));
            model.PoisonPages(pool.Free);
        }

        Assert.True(Array.TrueForAll(sequences, s => s.IsFinished) && pool.FreeCount == pages && scheduler.FreeSlots == Math.Min(16, maxBatchTokens));
        return scheduler.Preemptions;
    }
}
