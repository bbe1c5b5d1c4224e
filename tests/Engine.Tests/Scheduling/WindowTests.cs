using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Execution;
using KvPrefetch.Engine.KvCache;
using KvPrefetch.Engine.Models;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Scheduling;

namespace KvPrefetch.Tests.Scheduling;

/// <summary>Layers with a window give their pages back when the window has passed them.</summary>
public sealed class WindowTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(16, 1)]
    [InlineData(17, 1)]
    [InlineData(20, 7)]
    [InlineData(40, 64)]
    public void ASequenceHoldsNoMoreThanItsWindowAndItsChunk(int window, int chunk)
    {
        PagePool full = new(100, 16), windowed = new(100, 16, window);
        var scheduler = new Scheduler([full, windowed], 1, chunk);
        var sequence = new Sequence(0, [.. Enumerable.Range(0, 300)], 1000, new SamplingOptions(), []);
        scheduler.Add(sequence);
        while (!sequence.IsFinished)
        {
            var batch = scheduler.Next();
            Assert.InRange(windowed.UsedCount, 1, windowed.PagesToCompute(1000, chunk));
            Assert.Equal(full.PagesFor(sequence.Computed + batch[0].Count), full.UsedCount);
            Assert.Equal(Math.Max(0, sequence.Computed - window + 1) / 16, sequence.Table(1).First);
            scheduler.Commit(batch, batch.SampleCount == 0 ? [] : [7]);
        }

        Assert.Equal((1000, 0, 0), (sequence.Count, full.UsedCount, windowed.UsedCount));
    }

    [Fact]
    public void AModelWithWindowsAloneHasNoEndInItsPages()
    {
        PagePool windowed = new(3, 16, 20);
        Assert.Equal(long.MaxValue, windowed.TokenCapacity);
        Assert.Equal(32, new PagePool(2, 16, 20).TokenCapacity);
        var scheduler = new Scheduler([windowed], 2, 8);
        Sequence first = new(0, [1], 500, new SamplingOptions(), []), second = new(1, [1, 2], 500, new SamplingOptions(), []);
        scheduler.Add(first);
        scheduler.Add(second);
        while (!second.IsFinished)
        {
            var batch = scheduler.Next();
            scheduler.Commit(batch, Enumerable.Repeat(7, batch.SampleCount).ToArray());
        }

        Assert.Equal((500, 500, 0), (first.Count, second.Count, windowed.UsedCount));
        Assert.True(scheduler.Preemptions > 0);
    }

    [Fact]
    public void ThePlanGivesWindowedLayersWhatTheirWindowsNeedAndTheRestToTheOthers()
    {
        using var backend = new ReferenceBackend();
        KvLayer full = new(1, 64), windowed = full with { Window = 32 };
        var page = backend.KvPageBytes(full, MemoryPlan.PageSize);
        var mixed = new ModelShape([windowed, windowed, windowed, full], 100, 4096);
        var plan = MemoryPlan.Make(backend, mixed, 0, 100 * page, 2, 32, log: null);

        // Two sequences: at most 3 + 1 pages each, and 3 for the tokens of a step; each page of a windowed group takes three layers.
        Assert.Equal([0, 32], plan.Layout.Windows);
        Assert.Equal([100 - (3 * 11), 11], plan.Pages);
        Assert.Equal((67 * 16, 100 * page), (plan.ContextLength, plan.Bytes));
        Assert.Equal([8, 8], MemoryPlan.Make(backend, mixed, 0, 35 * page, 2, 32, log: null).Pages);
        var alone = MemoryPlan.Make(backend, mixed with { Cache = [windowed] }, 0, 20 * page, 2, 32, log: null);
        Assert.Equal((11, 4096, 11 * page), (alone.Pages.Single(), alone.ContextLength, alone.Bytes));
    }

    /// <summary>In a cache that holds far fewer pages of the windowed layers than tokens, every answer is what it is with room.</summary>
    [Theory]
    [InlineData("gemma3_text", 4)]
    [InlineData("gemma4_text", 4)]
    [InlineData("mistral-window", 15)]
    [InlineData("gpt_oss", 4)]
    public async Task AnswersInATightCacheAreThoseOfARoomyOne(string family, int share)
    {
        var folder = Path.Combine(TestAssets.Shared, "goldens", "families", family);
        using var roomy = LlmEngine.Load(folder, new EngineOptions { Threads = 1, MaxBatchSequences = 4 });
        var requests = Enumerable.Range(0, 8).Select(i => new GenerationRequest
        {
            Prompt = Enumerable.Range(0, 20 + (3 * i)).Select(t => ((t * 37) + i) % roomy.Model.VocabularySize).ToArray(),
            MaxOutputTokens = 100,
            StopTokens = [],
            Sampling = new SamplingOptions { Seed = (ulong)i, Temperature = 0.7f },
        }).ToList();
        var expected = new List<int[]>();
        foreach (var request in requests)
        {
            expected.Add(await Tokens(roomy.Submit(request)));
        }

        using var tight = LlmEngine.Load(folder, new EngineOptions { Threads = 2, MaxBatchSequences = 4, MaxBatchTokens = 12, KvCacheBytes = roomy.Stats.KvCacheBytes / share });
        Assert.Equal(expected, await Task.WhenAll(requests.Select(r => Tokens(tight.Submit(r)))));
        Assert.Equal(0, tight.Stats.PagesUsed);
        Assert.True(tight.Stats.Preemptions > 0 || family == "mistral-window", "all had room");    // windows alone: who is admitted has room to its end
    }

    private static async Task<int[]> Tokens(Generation generation)
    {
        var tokens = new List<int>();
        await foreach (var piece in generation.ReadAllAsync())
        {
            if (piece.Token is { } token)
            {
                tokens.Add(token);
            }
        }

        return [.. tokens];
    }
}
