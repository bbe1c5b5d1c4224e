using KvPrefetch.Engine;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Tests.Serving;

/// <summary>The engine as its callers meet it, on tiny random models: batches, cancellation, ends, limits, faults.</summary>
public sealed class EngineTests : IDisposable
{
    private readonly TinyModel _model = TinyModel.Create();

    [Fact]
    public async Task SixtyFourConcurrentRequestsGiveWhatEachGivesAlone()
    {
        using var engine = LlmEngine.Load(_model.Path, new EngineOptions { Threads = 2, MaxBatchSequences = 16, MaxBatchTokens = 24 });
        var requests = Enumerable.Range(0, 64).Select(i => Request(engine, seed: i, promptTokens: 1 + (i * 7 % 60), output: 4 + (i % 29), temperature: i % 2)).ToList();
        var alone = new List<int[]>();
        foreach (var request in requests)
        {
            alone.Add(await Tokens(engine.Submit(request)));
        }

        var together = await Task.WhenAll(requests.Select(r => Tokens(engine.Submit(r))));
        Assert.Equal(alone, together);
        Assert.Equal(0, engine.Stats.PagesUsed);
    }

    [Fact]
    public async Task PreemptedRequestsGiveWhatTheyGiveWithRoom()
    {
        using var roomy = LlmEngine.Load(_model.Path, new EngineOptions { Threads = 1 });
        var pageBytes = roomy.Stats.KvCacheBytes / roomy.Stats.PagesTotal;
        using var tight = LlmEngine.Load(_model.Path, new EngineOptions { Threads = 1, KvCacheBytes = 12 * pageBytes, MaxBatchTokens = 16 });
        var requests = Enumerable.Range(0, 12).Select(i => Request(roomy, seed: i, promptTokens: 20 + i, output: 60, temperature: 0.7f)).ToList();
        var expected = await Task.WhenAll(requests.Select(r => Tokens(roomy.Submit(r))));
        var actual = await Task.WhenAll(requests.Select(r => Tokens(tight.Submit(r))));
        Assert.Equal(expected, actual);
        Assert.True(tight.Stats.Preemptions > 0);
        Assert.Equal(0, tight.Stats.PagesUsed);
    }

    [Fact]
    public async Task ACancelledRequestLeavesTheBatchAndItsPagesAreFree()
    {
        using var engine = LlmEngine.Load(_model.Path);
        using var cancel = new CancellationTokenSource();
        var generation = engine.Submit(Request(engine, 1, 30, 1, 0) with { MaxOutputTokens = null });
        var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var piece in generation.ReadAllAsync(cancel.Token))
            {
                await cancel.CancelAsync();
            }
        });
        Assert.Equal(cancel.Token, error.CancellationToken);
        Assert.Equal(FinishReason.Cancelled, generation.FinishReason);
        await Until(() => engine.Stats.PagesUsed == 0);
    }

    [Fact]
    public async Task AnAbandonedEnumeratorEndsItsRequest()
    {
        using var engine = LlmEngine.Load(_model.Path);
        await foreach (var piece in engine.Submit(Request(engine, 1, 30, 1, 0) with { MaxOutputTokens = null }).ReadAllAsync())
        {
            break;
        }

        await Until(() => engine.Stats.PagesUsed == 0);
        var never = engine.Submit(Request(engine, 2, 30, 1, 0) with { MaxOutputTokens = null });
        await never.DisposeAsync();
        await Until(() => engine.Stats is { PagesUsed: 0, RunningSequences: 0, WaitingSequences: 0 });
    }

    [Fact]
    public async Task DisposingTheEngineEndsEveryStream()
    {
        var engine = LlmEngine.Load(_model.Path, new EngineOptions { MaxBatchSequences = 2 });
        var streams = Enumerable.Range(0, 8).Select(i => engine.Submit(Request(engine, i, 10, 1, 0) with { MaxOutputTokens = null, StopTokens = [] })).Select(Tokens).ToList();
        engine.Dispose();
        engine.Dispose();
        foreach (var stream in streams)
        {
            await Assert.ThrowsAsync<ObjectDisposedException>(() => stream.WaitAsync(TimeSpan.FromSeconds(5)));
        }

        Assert.Throws<ObjectDisposedException>(() => engine.Submit(new GenerationRequest { Prompt = new[] { 1 } }));
    }

    [Fact]
    public async Task LengthAndStopTokensEndAnAnswer()
    {
        using var engine = LlmEngine.Load(_model.Path);
        var generation = engine.Submit(Request(engine, 3, 12, 5, 0) with { StopTokens = [] });
        var tokens = await Tokens(generation);
        Assert.Equal(5, tokens.Length);
        Assert.Equal((FinishReason.Length, 12, 5), (generation.FinishReason, generation.PromptTokens, generation.GeneratedTokens));
        var stopped = engine.Submit(Request(engine, 3, 12, 5, 0) with { StopTokens = [tokens[2]] });
        var first = Array.IndexOf(tokens, tokens[2]) + 1;
        Assert.Equal(tokens[..first], await Tokens(stopped));
        Assert.Equal(FinishReason.Stop, stopped.FinishReason);
    }

    [Fact]
    public void LimitsAreExact()
    {
        using var engine = LlmEngine.Load(_model.Path, new EngineOptions { ContextLength = 64 });
        var prompt = new int[63];
        engine.Submit(new GenerationRequest { Prompt = prompt }).Dispose();
        engine.Submit(new GenerationRequest { Prompt = prompt, MaxOutputTokens = 1 }).Dispose();
        var error = Assert.Throws<ContextLengthExceededException>(() => engine.Submit(new GenerationRequest { Prompt = prompt, MaxOutputTokens = 2 }));
        Assert.Equal((63, 2, 64), (error.PromptTokens, error.MaxTokens, error.Limit));
        Assert.Throws<ContextLengthExceededException>(() => engine.Submit(new GenerationRequest { Prompt = new int[64] }));
        Assert.Throws<InvalidRequestException>(() => engine.Submit(new GenerationRequest { Prompt = Array.Empty<int>() }));
        Assert.Throws<InvalidRequestException>(() => engine.Submit(new GenerationRequest { Prompt = new[] { -1 } }));
        Assert.Throws<InvalidRequestException>(() => engine.Submit(new GenerationRequest { Prompt = new[] { engine.Model.VocabularySize } }));
    }

    [Fact]
    public void APromptThatNeverFitsTheCacheIsRefusedAtOnce()
    {
        using var probe = LlmEngine.Load(_model.Path);
        var pageBytes = probe.Stats.KvCacheBytes / probe.Stats.PagesTotal;
        using var engine = LlmEngine.Load(_model.Path, new EngineOptions { ContextLength = 128, KvCacheBytes = 3 * pageBytes });
        Assert.Throws<KvCapacityException>(() => engine.Submit(new GenerationRequest { Prompt = new int[48] }));
        Assert.Throws<KvCapacityException>(() => LlmEngine.Load(_model.Path, new EngineOptions { KvCacheBytes = 1 }));
    }

    [Fact]
    public async Task AFullQueueRefusesAndThoseInsideFinish()
    {
        using var engine = LlmEngine.Load(_model.Path, new EngineOptions { MaxBatchSequences = 2, MaxQueue = 3 });
        var accepted = new List<Generation>();
        var refused = 0;
        for (var i = 0; i < 40; i++)
        {
            try
            {
                accepted.Add(engine.Submit(Request(engine, i, 40, 40, 0) with { StopTokens = [] }));
            }
            catch (EngineOverloadedException e)
            {
                Assert.True(e.RetryAfter > TimeSpan.Zero);
                refused++;
            }
        }

        Assert.True(refused > 0);
        Assert.All(await Task.WhenAll(accepted.Select(Tokens)), t => Assert.Equal(40, t.Length));
    }

    [Fact]
    public async Task ADecodeStepAllocatesNothingOnThePumpThread()
    {
        // Large enough for a step to take a millisecond: a consumer that falls behind makes its channel grow, and one of a few requests has one that keeps up.
        using var model = TinyModel.Create(new TinyModelOptions { HiddenSize = 512, IntermediateSize = 1024, Layers = 6 });
        using var engine = LlmEngine.Load(model.Path);
        var request = Request(engine, 1, 20, 200, 0.8f) with { StopTokens = [] };
        _ = await Tokens(engine.Submit(request));
        var least = long.MaxValue;
        for (var attempt = 0; attempt < 10 && least >= 200; attempt++)
        {
            var (tokens, bytes) = (engine.Stats.GeneratedTokens, engine.PumpAllocatedBytes);
            _ = await Tokens(engine.Submit(request));
            Assert.Equal(tokens + 200, engine.Stats.GeneratedTokens);
            least = Math.Min(least, engine.PumpAllocatedBytes - bytes);
        }

        Assert.InRange(least, 0, 199);    // less than a byte a token
    }

    [Fact]
    public async Task StopStringsSpanTokensAndNeverLeak()
    {
        using var engine = LlmEngine.Load(_model.Path);
        var request = Request(engine, 9, 10, 40, 0) with { StopTokens = [] };
        var whole = string.Concat(await Texts(engine.Submit(request)));
        Assert.True(whole.Length > 12);
        foreach (var (start, length) in new[] { (0, 1), (3, 4), (5, 7), (whole.Length - 2, 2) })
        {
            var stop = whole.Substring(start, length);
            var generation = engine.Submit(request with { StopStrings = ["never there", stop] });
            var text = "";
            foreach (var piece in await Texts(generation))
            {
                text += piece;
                Assert.DoesNotContain(stop, text, StringComparison.Ordinal);
            }

            Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)], text);
            Assert.Equal(FinishReason.Stop, generation.FinishReason);
        }

        await Until(() => engine.Stats.PagesUsed == 0);
    }

    public void Dispose() => _model.Dispose();

    private static GenerationRequest Request(LlmEngine engine, int seed, int promptTokens, int output, float temperature)
    {
        var random = new Random(seed);
        return new GenerationRequest
        {
            Prompt = Enumerable.Range(0, promptTokens).Select(_ => random.Next(engine.Model.VocabularySize)).ToArray(),
            MaxOutputTokens = output,
            Sampling = new SamplingOptions { Temperature = temperature, Seed = (ulong)seed },
        };
    }

    private static async Task<int[]> Tokens(Generation generation)
    {
        var tokens = new List<int>();
        await foreach (var piece in generation.ReadAllAsync())
        {
            tokens.Add(piece.Token!.Value);
        }

        return [.. tokens];
    }

    private static async Task<List<string>> Texts(Generation generation)
    {
        var texts = new List<string>();
        await foreach (var piece in generation.ReadAllAsync())
        {
            texts.Add(piece.Text);
        }

        return texts;
    }

    private static async Task Until(Func<bool> condition)
    {
        for (var i = 0; !condition(); i++)
        {
            Assert.True(i < 500, "did not happen within five seconds");
            await Task.Delay(10);
        }
    }
}
