using KvPrefetch.Engine;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Tests.Serving;

/// <summary>What goes wrong inside a step: one request's numbers, or everything.</summary>
public sealed class FaultTests : IDisposable
{
    private readonly TinyModel _model = TinyModel.Create();

    [Fact]
    public async Task GP07_NotANumberFailsItsOwnRequestAndNoOther()
    {
        var backend = new FaultyBackend();
        using var engine = LlmEngine.Load(_model.Path, new EngineOptions(), () => backend);
        var requests = Enumerable.Range(0, 4).Select(i => Request(engine, i)).ToList();
        var expected = new List<int[]>();
        foreach (var request in requests)
        {
            expected.Add(await Tokens(engine.Submit(request)));
        }

        (backend.Vocabulary, backend.SpoiledRow) = (engine.Model.VocabularySize, 0);
        var spoiled = await Assert.ThrowsAsync<NumericalFaultException>(() => Tokens(engine.Submit(requests[0])));
        Assert.Equal("NonFiniteLogits", spoiled.Code);
        var generations = requests.Select(engine.Submit).ToList();
        backend.SpoiledRow = 1;
        var results = await Task.WhenAll(generations.Select(async g =>
        {
            try
            {
                return await Tokens(g);
            }
            catch (NumericalFaultException)
            {
                Assert.Equal(FinishReason.Error, g.FinishReason);
                return null;
            }
        }));
        Assert.True(results.Count(r => r is null) <= 1);
        Assert.All(results.Zip(expected), pair => Assert.True(pair.First is null || pair.First.SequenceEqual(pair.Second)));
        Assert.False(engine.Stats.Faulted);
        Assert.Equal(expected[0], await Tokens(engine.Submit(requests[0])));
    }

    [Fact]
    public async Task CL09_AnUnexpectedErrorEndsEveryRequestWithOneTypedErrorAndNothingHangs()
    {
        var backend = new FaultyBackend();
        using var engine = LlmEngine.Load(_model.Path, new EngineOptions { MaxBatchSequences = 2 }, () => backend);
        var running = Enumerable.Range(0, 5).Select(i => Tokens(engine.Submit(Request(engine, i) with { MaxOutputTokens = null }))).ToList();
        backend.Throw = new InvalidOperationException("planted");
        foreach (var request in running)
        {
            var error = await Assert.ThrowsAsync<EngineFaultedException>(() => request.WaitAsync(TimeSpan.FromSeconds(10)));
            Assert.Same(backend.Throw, error.InnerException);
        }

        Assert.True(engine.Stats.Faulted);
        Assert.Throws<EngineFaultedException>(() => engine.Submit(Request(engine, 1)));
    }

    [Fact]
    public async Task CL08_TwoEnginesInOneProcessDoNotKnowOfEachOther()
    {
        var first = LlmEngine.Load(_model.Path);
        using var second = LlmEngine.Load(_model.Path);
        var expected = await Tokens(first.Submit(Request(first, 7)));
        first.Dispose();
        Assert.Equal(expected, await Tokens(second.Submit(Request(second, 7))));
    }

    [Fact]
    public void ALoadThatFailsLeavesNothingBehind()
    {
        var backend = new FaultyBackend();
        using var broken = TinyModel.Create(new TinyModelOptions { EditConfig = c => c["num_hidden_layers"] = 9 });
        var error = Assert.Throws<ModelIncompleteException>(() => LlmEngine.Load(broken.Path, new EngineOptions(), () => backend));
        Assert.Contains("model.layers.3.input_layernorm.weight", error.Missing);
        File.Delete(Path.Combine(broken.Path, "model.safetensors"));    // no mapping holds it
    }

    public void Dispose() => _model.Dispose();

    private static GenerationRequest Request(LlmEngine engine, int seed)
    {
        var random = new Random(seed);
        return new GenerationRequest
        {
            Prompt = Enumerable.Range(0, 5 + seed).Select(_ => random.Next(engine.Model.VocabularySize)).ToArray(),
            MaxOutputTokens = 24,
            StopTokens = [],
            Sampling = new SamplingOptions { Temperature = 0 },
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
}
