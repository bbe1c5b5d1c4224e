using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Execution;
using KvPrefetch.Engine.Models;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Tests.Serving;

/// <summary>The engine on models with recurrent layers: state slots in the memory plan, across admission, cancellation and preemption.</summary>
public sealed class RecurrentEngineTests
{
    [Theory]
    [InlineData("lfm2")]
    [InlineData("falcon_h1")]
    [InlineData("qwen3_5_text")]
    public async Task PreemptedRequestsOfHybridsGiveWhatTheyGiveAlone(string family)
    {
        using var roomy = LlmEngine.Load(Folder(family), new EngineOptions { Threads = 1, MaxBatchSequences = 4 });
        List<GenerationRequest> requests = [.. Enumerable.Range(0, 9).Select(i => Request(roomy, i))];
        var expected = new List<int[]>();
        foreach (var request in requests)
        {
            expected.Add(await Tokens(roomy.Submit(request)));
        }

        var stateBytes = 4 * StateSlots.SlotBytes(Shape(family).States);
        var pageBytes = (roomy.Stats.KvCacheBytes - stateBytes) / roomy.Stats.PagesTotal;
        using var tight = LlmEngine.Load(Folder(family), new EngineOptions { Threads = 2, MaxBatchSequences = 4, MaxBatchTokens = 12, KvCacheBytes = (2 * stateBytes) + (12 * pageBytes) });
        Assert.Equal(expected, await Task.WhenAll(requests.Select(r => Tokens(tight.Submit(r)))));
        Assert.True(tight.Stats.Preemptions > 0, $"{tight.Stats.PagesTotal} pages had room for all");
        Assert.Equal(0, tight.Stats.PagesUsed);
    }

    [Fact]
    public async Task AModelWithoutAttentionServesABatchAndItsPagesCostNothing()
    {
        using var engine = LlmEngine.Load(Folder("mamba2"), new EngineOptions { Threads = 2, MaxBatchSequences = 3, MaxBatchTokens = 7 });
        List<GenerationRequest> requests = [.. Enumerable.Range(0, 8).Select(i => Request(engine, i))];
        var together = await Task.WhenAll(requests.Select(r => Tokens(engine.Submit(r))));
        for (var i = 0; i < requests.Count; i++)
        {
            Assert.Equal(await Tokens(engine.Submit(requests[i])), together[i]);
        }

        Assert.Equal(3 * StateSlots.SlotBytes(Shape("mamba2").States), engine.Stats.KvCacheBytes);
    }

    /// <summary>State does not grow, so a token far out costs what an early one does. Both are measured in turn, and the medians compared.</summary>
    [Fact]
    public async Task ATokenAfterTenThousandTakesAsLongAsOneAfterAHundred()
    {
        using var engine = LlmEngine.Load(Folder("mamba2"), new EngineOptions { Threads = 1, MaxBatchSequences = 2, ContextLength = 16_384 });
        async Task<double> Microseconds(int context, int tokens)
        {
            var random = new Random(context);
            var request = new GenerationRequest { Prompt = Enumerable.Range(0, context).Select(_ => random.Next(engine.Model.VocabularySize)).ToArray(), MaxOutputTokens = tokens, StopTokens = [] };
            await using var generation = engine.Submit(request);
            await foreach (var piece in generation.ReadAllAsync())
            {
            }

            // By the pump's clock: a reader that comes late changes nothing.
            return generation.DecodeTime.TotalMicroseconds / (tokens - 1);
        }

        // Other work on the machine only adds: the least of the rounds counts, and there are more of them while it is in the way.
        var (near, far, ratio) = (double.MaxValue, double.MaxValue, double.MaxValue);
        for (var round = 0; round < 7 || (round < 40 && ratio > 1.5); round++)
        {
            near = Math.Min(near, await Microseconds(100, 300));
            far = Math.Min(far, await Microseconds(10_000, 300));
            ratio = far / near;
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{near:F0} us after 100 tokens, {far:F0} us after 10,000: ratio {ratio:F2}");
        Assert.InRange(ratio, 0, 1.5);
    }

    [Fact]
    public void ThePlanCountsSlotsAndLetsFewerRunWhereTheirStatesDoNotFit()
    {
        using var backend = new ReferenceBackend();
        var plain = new ModelShape([new KvLayer(1, 64), new KvLayer(1, 64)], 100, 1024);
        var hybrid = plain with { States = [1000, 24_000] };
        var pageBytes = 2 * backend.KvPageBytes(new KvLayer(1, 64), MemoryPlan.PageSize);
        var lines = new List<string>();
        Assert.Equal((10, 160, 8, 10 * pageBytes), Sizes(MemoryPlan.Make(backend, plain, 0, 10 * pageBytes, 8, 64, lines.Add)));
        Assert.Equal((64, 1024, 4, 400_000 + (64 * pageBytes)), Sizes(MemoryPlan.Make(backend, hybrid, 0, 400_000 + (64 * pageBytes), 4, 64, lines.Add)));
        lines.Clear();
        Assert.Equal(2, MemoryPlan.Make(backend, hybrid, 1024, 401_000, 4, 64, lines.Add).Sequences);
        Assert.Contains("2 sequences may run at once, not 4", Assert.Single(lines), StringComparison.Ordinal);
        Assert.Throws<KvCapacityException>(() => MemoryPlan.Make(backend, hybrid, 0, 199_000, 4, 64, log: null));
    }

    private static (int Pages, int Context, int Sequences, long Bytes) Sizes(MemoryPlan plan) => (plan.Pages.Single(), plan.ContextLength, plan.Sequences, plan.Bytes);

    private static string Folder(string family) => Path.Combine(TestAssets.Shared, "goldens", "families", family);

    private static ModelShape Shape(string family) => ModelCatalog.Describe(KvPrefetch.Engine.Checkpoints.HfConfig.Load(new KvPrefetch.Engine.Checkpoints.ModelFolder(Folder(family)))).Shape;

    private static GenerationRequest Request(LlmEngine engine, int seed)
    {
        var random = new Random(seed);
        int[] prompt = [.. Enumerable.Range(0, 20 + seed).Select(_ => random.Next(engine.Model.VocabularySize))];
        return new GenerationRequest { Prompt = prompt, MaxOutputTokens = 100, StopTokens = [], Sampling = new SamplingOptions { Seed = (ulong)seed, Temperature = 0.7f } };
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
