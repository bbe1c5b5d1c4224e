using System.Runtime.InteropServices;
using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Text.Tokenization;
using KvPrefetch.Tests.Checkpoints;

namespace KvPrefetch.Tests.Models;

/// <summary>Weights that are quantised while loading: what it costs, the same bits in any chunk, what stays as stored, and the cache.</summary>
public sealed class QuantisedWeightsTests(ITestOutputHelper output)
{
    private static readonly string[] Texts = ["harbour", "kitchen", "queue", "rivers"];

    /// <summary>The bounds of the option, over the weights as stored: of the mean negative log likelihood of the reference's text and of four of our own, each by itself.</summary>
    [Fact]
    public void TheyCostLittle()
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestAssets.Shared, "goldens", "smollm2", "generate.json")));
        var nll = golden.RootElement.GetProperty("nll");
        var tokenizer = Tokenizer.Load(TestAssets.SmolLM2);
        int[][] texts = [[.. nll.GetProperty("ids").EnumerateArray().Select(e => e.GetInt32())], .. Texts.Select(name => tokenizer.Encode(Text(name)))];
        double[] Measure(WeightFormat weights)
        {
            using var harness = new ModelHarness(TestAssets.SmolLM2, CpuBackend.Create(2), weights: weights);
            return harness.MeanNegativeLogLikelihoods(texts);
        }

        double[] stored = Measure(WeightFormat.AsStored), eight = Measure(WeightFormat.Int8), four = Measure(WeightFormat.Int4);
        for (var i = 0; i < texts.Length; i++)
        {
            output.WriteLine(FormattableString.Invariant($"{(i == 0 ? "reference" : Texts[i - 1])}: {texts[i].Length} tokens, stored {stored[i]:F5}, Int8 {eight[i]:F5} ({100 * ((eight[i] / stored[i]) - 1):+0.000;-0.000} %), Int4 {four[i]:F5} ({100 * ((four[i] / stored[i]) - 1):+0.000;-0.000} %)"));
        }

        Assert.InRange((stored[0] / nll.GetProperty("mean").GetDouble()) - 1, -1e-4, 1e-4);
        Assert.All(stored.Zip(eight), pair => Assert.InRange((pair.Second / pair.First) - 1, -0.005, 0.005));
        Assert.All(stored.Zip(four), pair => Assert.InRange((pair.Second / pair.First) - 1, -0.01, 0.04));
    }

    [Theory]
    [InlineData("llama-gqa", "Int8", "Auto")]
    [InlineData("llama-gqa", "Int4", "Managed")]
    [InlineData("mixtral", "Int8", "Auto")]
    [InlineData("mixtral", "Int4", "VectorDots")]
    [InlineData("qwen3_next", "Int4", "Auto")]
    [InlineData("deepseek_v3", "Int8", "Auto")]
    [InlineData("gpt_oss", "Int8", "Auto")]
    [InlineData("gemma4_text", "Int4", "Auto")]
    [InlineData("mamba2", "Int4", "Auto")]
    [InlineData("gpt2", "Int8", "Auto")]
    public void ATokenHasTheSameBitsInAnyChunk(string name, string weights, string kernels)
    {
        var folder = Path.Combine(TestAssets.Shared, "goldens", "families", name);
        List<float[]>? expected = null;
        foreach (var chunk in (int[])[64, 5, 1])
        {
            using var harness = new ModelHarness(folder, CpuBackend.Create(2, kernels: Enum.Parse<ProductKernels>(kernels)), chunk, weights: Enum.Parse<WeightFormat>(weights));
            var prompt = Enumerable.Range(0, 41).Select(i => ((i * 31) + 7) % harness.Vocabulary).ToArray();
            var logits = harness.Greedy(prompt, 3, out _);
            expected ??= logits;
            Assert.All(expected.Zip(logits), pair => Assert.True(MemoryMarshal.AsBytes<float>(pair.First).SequenceEqual(MemoryMarshal.AsBytes<float>(pair.Second)), $"chunk {chunk}"));
        }
    }

    /// <summary>Every family, every published packing: nothing is refused, and logits stay near. Random models of this size amplify: where a router turns to another expert, a token goes another way (kimi_linear and gemma4_text-moe, the furthest).</summary>
    [Fact]
    public void EveryFamilyRunsWithThem()
    {
        foreach (var folder in Directory.GetDirectories(Path.Combine(TestAssets.Shared, "goldens", "families")).Concat(Directory.GetDirectories(Path.Combine(TestAssets.Shared, "goldens", "quantised"))))
        {
            float[] Logits(WeightFormat weights)
            {
                using var harness = new ModelHarness(folder, CpuBackend.Create(1), weights: weights);
                return harness.Greedy([.. Enumerable.Range(0, 20).Select(i => ((i * 13) + 3) % harness.Vocabulary)], 1, out _)[0];
            }

            float[] stored = Logits(WeightFormat.AsStored), eight = Logits(WeightFormat.Int8);
            var difference = Math.Sqrt(stored.Zip(eight, (a, b) => Math.Pow(a - b, 2)).Sum() / stored.Sum(a => (double)a * a));
            output.WriteLine(FormattableString.Invariant($"{Path.GetFileName(folder)}: {difference:P2}"));
            Assert.True(difference < 1, $"{Path.GetFileName(folder)}: {difference}");
        }
    }

    [Fact]
    public async Task TheCacheHoldsWhatWouldBeQuantisedAndIsMadeAnewWhenItDoesNot()
    {
        using var model = TinyModel.Create();
        using var folder = new TempFolder();
        var cache = Path.Combine(folder.Path, "made", "here");
        List<string> log = [];
        async Task<int[]> Run(WeightFormat weights, string? kept)
        {
            log.Clear();
            using var engine = LlmEngine.Load(model.Path, new EngineOptions { Backend = ComputeBackend.Cpu, Threads = 1, Weights = weights, WeightsCache = kept, Log = log.Add });
            await using var generation = engine.Submit(new GenerationRequest { Prompt = new[] { 1, 2, 3, 4, 5 }, MaxOutputTokens = 12, Sampling = new SamplingOptions { Temperature = 0 }, StopTokens = [] });
            var tokens = new List<int>();
            await foreach (var piece in generation.ReadAllAsync(TestContext.Current.CancellationToken))
            {
                tokens.AddRange(piece.Token is { } token ? [token] : []);
            }

            return [.. tokens];
        }

        var expected = await Run(WeightFormat.Int4, null);
        Assert.False(Directory.Exists(cache));
        Assert.Equal(expected, await Run(WeightFormat.Int4, cache));
        var file = Assert.Single(Directory.GetFiles(cache));
        var whole = File.ReadAllBytes(file);
        var written = File.GetLastWriteTimeUtc(file);
        Assert.Equal(expected, await Run(WeightFormat.Int4, cache));
        Assert.Equal(written, File.GetLastWriteTimeUtc(file));
        Assert.DoesNotContain(log, line => line.Contains("cache", StringComparison.Ordinal));

        // Another form is another file.
        await Run(WeightFormat.Int8, cache);
        Assert.Equal(2, Directory.GetFiles(cache).Length);

        // Damage of every kind: cut, turned bits in magic, identity, table and data, nothing at all.
        foreach (var (what, damage) in ((string, Action<byte[]>)[])[("magic", b => b[0] ^= 1), ("identity", b => b[20] ^= 1), ("table's hash", b => b[50] ^= 1), ("table's length", b => b[79] ^= 0x40), ("table", b => b[90] ^= 4), ("data", b => b[^100] ^= 16)])
        {
            var bytes = (byte[])whole.Clone();
            damage(bytes);
            File.WriteAllBytes(file, bytes);
            Assert.Equal(expected, await Run(WeightFormat.Int4, cache));
            Assert.True(log.Exists(line => line.Contains("made anew", StringComparison.Ordinal)), what);
            Assert.True(File.ReadAllBytes(file).AsSpan().SequenceEqual(whole), what);
        }

        foreach (var length in (int[])[0, 7, 79, 80, 200, whole.Length - 64])
        {
            File.WriteAllBytes(file, whole[..length]);
            Assert.Equal(expected, await Run(WeightFormat.Int4, cache));
            Assert.True(File.ReadAllBytes(file).AsSpan().SequenceEqual(whole), $"{length} bytes");
        }

        // Weights of a later time are others.
        File.SetLastWriteTimeUtc(Path.Combine(model.Path, "model.safetensors"), DateTime.UtcNow.AddMinutes(-7));
        Assert.Equal(expected, await Run(WeightFormat.Int4, cache));
        Assert.Contains(log, line => line.Contains("other weights", StringComparison.Ordinal));
        Assert.False(File.ReadAllBytes(file).AsSpan().SequenceEqual(whole));
        Assert.Empty(Directory.GetFiles(cache, "*.tmp"));
    }

    [Fact]
    public void AFolderThatCannotBeWrittenIsSaidAndNotInTheWay()
    {
        using var model = TinyModel.Create();
        using var folder = new TempFolder();
        var file = Path.Combine(folder.Path, "file");
        File.WriteAllText(file, "not a folder");
        List<string> log = [];
        LlmEngine.Load(model.Path, new EngineOptions { Backend = ComputeBackend.Cpu, Threads = 1, Weights = WeightFormat.Int8, WeightsCache = file, Log = log.Add }).Dispose();
        Assert.Single(log, line => line.StartsWith("Quantised weights cannot be kept", StringComparison.Ordinal));
    }

    [Fact]
    public void OptionsOutOfRangeAreRefused()
    {
        using var model = TinyModel.Create();
        Assert.Equal("Weights", Assert.Throws<InvalidRequestException>(() => LlmEngine.Load(model.Path, new EngineOptions { Weights = (WeightFormat)3 })).ParamName);
        Assert.Equal("WeightsCache", Assert.Throws<InvalidRequestException>(() => LlmEngine.Load(model.Path, new EngineOptions { WeightsCache = " " })).ParamName);
    }

    private static string Text(string name)
    {
        using var stream = typeof(QuantisedWeightsTests).Assembly.GetManifestResourceStream("texts/" + name)!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
