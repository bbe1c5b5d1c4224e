using KvPrefetch.Engine;
using KvPrefetch.Engine.KvCache;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Scheduling;

namespace KvPrefetch.Tests.Serving;

/// <summary>Keys and values of a prompt's beginning are taken from the cache: nothing but time and a count may tell.</summary>
public sealed class PrefixCacheTests : IDisposable
{
    private readonly TinyModel _model = TinyModel.Create(new() { EndsItself = false, ContextLength = 512 });

    public void Dispose() => _model.Dispose();

    private LlmEngine Load(bool cache = true, long bytes = 16 << 20, int batch = 64) =>
        LlmEngine.Load(_model.Path, new EngineOptions { Threads = 1, KvCacheBytes = bytes, MaxBatchTokens = batch, MaxBatchSequences = 16, PrefixCache = cache });

    private static int[] Text(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(TinyModel.FirstByteId, 320))];
    }

    private static GenerationRequest Request(int[] prompt, int seed = 1, int tokens = 24) => new() { Prompt = prompt, MaxOutputTokens = tokens, Sampling = new SamplingOptions { Seed = (ulong)seed, Logprobs = 3 } };

    /// <summary>Tokens with their log-probabilities to the last bit, and how many of the prompt's were found.</summary>
    private static async Task<(string Written, int[] Tokens, int Cached)> Read(LlmEngine engine, GenerationRequest request)
    {
        await using var generation = engine.Submit(request);
        var (written, tokens) = (new List<string>(), new List<int>());
        await foreach (var piece in generation.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            if (piece is { Token: { } token, Logprobs: { } logprobs })
            {
                tokens.Add(token);
                written.Add(token + ":" + string.Join(',', logprobs.Top.Prepend(logprobs.Chosen).Select(l => l.Token + "/" + BitConverter.SingleToInt32Bits(l.Logprob))));
            }
        }

        return (string.Join(' ', written), [.. tokens], generation.CachedPromptTokens);
    }

    [Fact]
    public async Task Answers_have_the_same_bits_with_and_without_and_full_pages_are_found()
    {
        using var with = Load();
        using var without = Load(cache: false);
        var system = Text(1, 100);
        for (var i = 0; i < 6; i++)
        {
            int[] prompt = [.. system, .. Text(10 + i, (i * 7) + 1)];
            var (expected, _, none) = await Read(without, Request(prompt, i));
            var (written, _, cached) = await Read(with, Request(prompt, i));
            Assert.Equal(expected, written);
            Assert.Equal((0, i == 0 ? 0 : 96), (none, cached));
            Assert.Equal(expected, (await Read(with, Request(prompt, i))).Written);
        }

        Assert.Equal(0, with.Stats.PagesUsed);
        Assert.True(with.Stats.PrefixHitTokens > 6 * 96);
        Assert.Equal(0, without.Stats.PrefixHitTokens);
    }

    [Fact]
    public async Task The_next_turn_of_a_conversation_finds_the_whole_one_before_its_answer_included()
    {
        using var engine = Load();
        int[] history = Text(2, 50);
        for (var turn = 0; turn < 4; turn++)
        {
            var (_, tokens, cached) = await Read(engine, Request(history, turn, tokens: 30));

            // The last token of an answer was never computed: nobody asked what comes after it.
            Assert.Equal(turn == 0 ? 0 : (history.Length - 10 - 1) / 16 * 16, cached);
            history = [.. history, .. tokens, .. Text(100 + turn, 10)];
        }
    }

    [Fact]
    public async Task A_prompt_that_is_known_to_its_last_token_computes_one_page_at_least()
    {
        using var engine = Load();
        foreach (var length in new[] { 15, 16, 17, 32, 33 })
        {
            var prompt = Text(length, length);
            var first = await Read(engine, Request(prompt));
            var second = await Read(engine, Request(prompt));
            Assert.Equal(first.Written, second.Written);
            Assert.Equal((length - 1) / 16 * 16, second.Cached);
        }
    }

    [Fact]
    public async Task Requests_of_another_salt_find_nothing()
    {
        using var engine = Load();
        var prompt = Text(3, 64);
        var expected = await Read(engine, Request(prompt));
        foreach (var (salt, cached) in new[] { ("a", 0), ("a", 48), ("b", 0), ((string?)null, 48) })
        {
            var (written, _, found) = await Read(engine, Request(prompt) with { CacheSalt = salt });
            Assert.Equal((expected.Written, cached), (written, found));
        }
    }

    [Fact]
    public async Task KV05_in_a_crowd_whose_texts_do_not_all_fit_every_answer_has_the_bits_it_has_alone()
    {
        using var without = Load(cache: false);
        var systems = Enumerable.Range(0, 5).Select(i => Text(50 + i, 40 + (i * 16))).ToArray();
        var requests = Enumerable.Range(0, 60).Select(i => Request([.. systems[i * 7 % 5], .. Text(500 + (i % 9), 1 + (i % 23))], i)).ToArray();
        var expected = new List<string>();
        foreach (var request in requests)
        {
            expected.Add((await Read(without, request)).Written);
        }

        using var tight = Load(bytes: 40 * 16 * 768, batch: 48);
        Assert.InRange(tight.Stats.PagesTotal, 20, 80);
        var together = await Task.WhenAll(requests.Select(r => Read(tight, r)));
        Assert.Equal(expected, together.Select(t => t.Written));
        Assert.True(tight.Stats.PrefixHitTokens > 0);
        Assert.Equal(0, tight.Stats.PagesUsed);
    }

    [Theory]
    [InlineData("mistral-window")]
    [InlineData("gemma3_text")]
    [InlineData("mamba2")]
    [InlineData("falcon_h1")]
    [InlineData("llama-rope-dynamic")]
    [InlineData("phi3-longrope")]
    public async Task Models_whose_pages_cannot_be_shared_compute_everything(string family)
    {
        using var engine = LlmEngine.Load(Path.Combine(TestAssets.Shared, "goldens", "families", family), new EngineOptions { Threads = 1, KvCacheBytes = 16 << 20 });
        var request = new GenerationRequest { Prompt = Text(1, 20), MaxOutputTokens = 4, StopTokens = [], Sampling = new SamplingOptions { Temperature = 0, Logprobs = 1 } };
        Assert.Equal((await Read(engine, request)).Written, (await Read(engine, request)).Written);
        Assert.Equal(0, engine.Stats.PrefixHitTokens);
    }

    [Fact]
    public void KV_the_pages_of_a_sequence_that_failed_are_found_by_nobody_nor_is_what_lies_behind_them()
    {
        var pool = new PagePool(20, 4, sharesPrefixes: true);
        var scheduler = new Scheduler(pool, 4, 64);
        Sequence Add(long id, int count)
        {
            var sequence = new Sequence(id, [.. Enumerable.Range(1, count)], 60, new SamplingOptions(), []);
            scheduler.Add(sequence);
            return sequence;
        }

        void Step()
        {
            var batch = scheduler.Next();
            scheduler.Commit(batch, [.. Enumerable.Repeat(7, batch.SampleCount)]);
        }

        var bad = Add(1, 13);
        Step();
        var beside = Add(2, 17);
        Step();
        Assert.Equal(12, beside.CachedTokens);
        scheduler.Fail(bad);
        var after = Add(3, 17);
        Step();
        Assert.Equal(0, after.CachedTokens);
        scheduler.Cancel(beside);
        scheduler.Cancel(after);
        var last = Add(4, 17);
        Step();
        Assert.Equal(16, last.CachedTokens);
        scheduler.Cancel(last);
        Assert.Equal((20, 0), (pool.FreeCount, pool.UsedCount));
    }

    [Fact]
    public void What_was_held_longest_ago_goes_first_and_of_one_text_its_end()
    {
        var pool = new PagePool(4, 2, sharesPrefixes: true);
        int[] Text(params int[] tokens) => tokens;
        int Fill(int before, params int[] tokens) => pool.Share(pool.Allocate(1), 1, before, 0, tokens);
        var a = Fill(PrefixIndex.Root, 1, 2);
        var b = Fill(a, 3, 4);
        var c = Fill(PrefixIndex.Root, 5, 6);
        pool.Release(b, 1);
        pool.Release(a, 1);
        pool.Release(c, 1);
        Assert.Equal((4, 3), (pool.FreeCount, pool.CachedCount));
        pool.Allocate(2);
        Assert.Equal(3, pool.CachedCount); // the empty one
        pool.Allocate(2);
        Assert.Equal((a, -1, c), (pool.Find(PrefixIndex.Root, 0, Text(1, 2)), pool.Find(a, 0, Text(3, 4)), pool.Find(PrefixIndex.Root, 0, Text(5, 6))));
        pool.Hold(a);
        pool.Release(a, 9);
        pool.Allocate(2);
        Assert.Equal((a, -1), (pool.Find(PrefixIndex.Root, 0, Text(1, 2)), pool.Find(PrefixIndex.Root, 0, Text(5, 6))));
        pool.Allocate(2);
        Assert.Equal((0, 0, -1), (pool.FreeCount, pool.CachedCount, pool.Allocate(2)));
    }

    [Fact]
    public void A_page_is_counted_for_each_who_holds_it_and_freed_once_by_each()
    {
        var pool = new PagePool(3, 1, sharesPrefixes: true);
        var page = pool.Share(pool.Allocate(1), 1, PrefixIndex.Root, 0, [5]);
        pool.Hold(page);
        Assert.Equal((2, 1, 2), (pool.UsedCount, pool.FreeCount, pool.Holders(page)));
        pool.Release(page, 1);
        pool.Release(page, 2);
        Assert.Contains("freed twice", Assert.Throws<InvalidOperationException>(() => pool.Release(page, 2)).Message, StringComparison.Ordinal);
        Assert.Equal((0, 3), (pool.UsedCount, pool.FreeCount));
    }
}
