using KvPrefetch.Engine;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Tests.Cuda;

/// <summary>Many requests at once through the whole engine on the card.</summary>
public sealed class StreamsOnTheCardTests : IDisposable
{
    private readonly TinyModel _model = TinyModel.Create(new TinyModelOptions { HiddenSize = 128, Heads = 6, KvHeads = 2, HeadDim = 64, Layers = 2, IntermediateSize = 256, ContextLength = 512, EndsItself = false, Tokenizer = false, Std = 0.15 });

    /// <summary>Mixed lengths, late arrivals and requests that are given up beside them: each stream has the tokens that it has alone.</summary>
    [Fact]
    public async Task SixtyFourStreamsGiveTheTokensThatEachGivesAlone()
    {
        Card.Open(new()).Dispose();
        using var engine = LlmEngine.Load(_model.Path, new EngineOptions { Backend = ComputeBackend.Cuda, BatchInvariant = true, KvCacheBytes = 64 << 20, MaxBatchTokens = 256 });
        var random = new Random(64);
        var requests = Enumerable.Range(0, 64).Select(i => new GenerationRequest
        {
            Prompt = Enumerable.Range(0, 1 + random.Next(150)).Select(_ => random.Next(320)).ToArray(),
            MaxOutputTokens = 1 + random.Next(120),
            Sampling = new SamplingOptions { Temperature = i % 2, Seed = (ulong)i },
        }).ToList();
        var together = await Task.WhenAll(requests.Select(async (request, i) =>
        {
            await Task.Yield();
            var stop = i % 7 == 3 ? 1 + (i % 5) : int.MaxValue;
            return await Generate(engine, request, stop);
        }));
        Assert.False(engine.Stats.Faulted);
        Assert.StartsWith("cuda", engine.Stats.Backend, StringComparison.Ordinal);
        for (var i = 0; i < requests.Count; i++)
        {
            var alone = await Generate(engine, requests[i], int.MaxValue);
            Assert.Equal(requests[i].MaxOutputTokens, alone.Count);
            Assert.Equal(alone.Take(together[i].Count), together[i]);
            Assert.True(together[i].Count == alone.Count || i % 7 == 3, $"stream {i}: {together[i].Count} of {alone.Count} tokens");
        }
    }

    public void Dispose() => _model.Dispose();

    /// <summary>The tokens; after so many the request is given up.</summary>
    private static async Task<List<int>> Generate(LlmEngine engine, GenerationRequest request, int stop)
    {
        var tokens = new List<int>();
        await using var generation = engine.Submit(request);
        await foreach (var piece in generation.ReadAllAsync())
        {
            if (piece.Token is { } token)
            {
                tokens.Add(token);
            }

            if (tokens.Count >= stop)
            {
                break;
            }
        }

        return tokens;
    }
}
