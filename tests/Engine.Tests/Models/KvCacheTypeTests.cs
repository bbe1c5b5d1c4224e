using System.Runtime.InteropServices;
using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Models;

/// <summary>Keys and values in fewer bits: the same bits whatever the chunk, what is planned for them, and what they cost.</summary>
public sealed class KvCacheTypeTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("llama-gqa", "BF16")]
    [InlineData("llama-gqa", "I8")]
    [InlineData("gemma3_text", "I8")]
    [InlineData("deepseek_v3", "BF16")]
    [InlineData("deepseek_v3", "I8")]
    public void ATokenHasTheSameBitsInAnyChunk(string name, string cache)
    {
        var folder = Path.Combine(TestAssets.Shared, "goldens", "families", name);
        List<float[]>? expected = null;
        foreach (var chunk in (int[])[64, 5, 1])
        {
            using var harness = new ModelHarness(folder, CpuBackend.Create(2, cache: Enum.Parse<DType>(cache)), chunk);
            var prompt = Enumerable.Range(0, 41).Select(i => (i * 31 + 7) % harness.Vocabulary).ToArray();
            var logits = harness.Greedy(prompt, 3, out _);
            expected ??= logits;
            Assert.All(expected.Zip(logits), pair => Assert.True(MemoryMarshal.AsBytes<float>(pair.First).SequenceEqual(MemoryMarshal.AsBytes<float>(pair.Second)), $"chunk {chunk}"));
        }
    }

    [Fact]
    public void TheMemoryThatIsGivenHoldsMoreTokensInFewerBits()
    {
        using var model = TinyModel.Create();
        int Pages(KvCacheType type)
        {
            using var engine = LlmEngine.Load(model.Path, new EngineOptions { Backend = ComputeBackend.Cpu, Threads = 1, KvCacheType = type, KvCacheBytes = 64 * 1024 });
            Assert.InRange(engine.Stats.KvCacheBytes, 1, 64 * 1024);
            return engine.Stats.PagesTotal;
        }

        var (full, half, quarter) = (Pages(KvCacheType.Float32), Pages(KvCacheType.BFloat16), Pages(KvCacheType.Int8));
        Assert.Equal(full, Pages(KvCacheType.Auto));
        Assert.InRange(half, 2 * full, (2 * full) + 1);
        Assert.InRange(quarter, half + 1, (4 * full) + 3);
        Assert.Equal("KvCacheType", Assert.Throws<InvalidRequestException>(() => Pages((KvCacheType)4)).ParamName);
    }

    /// <summary>Mean negative log likelihood of a thousand tokens beside the reference's, which keeps float32.</summary>
    [Theory]
    [InlineData("BF16", 0.0005)]
    [InlineData("I8", 0.002)]
    public void ItCostsLittle(string cache, double bound)
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestAssets.Shared, "goldens", "smollm2", "generate.json")));
        var nll = golden.RootElement.GetProperty("nll");
        int[] ids = [.. nll.GetProperty("ids").EnumerateArray().Select(e => e.GetInt32())];
        using var harness = new ModelHarness(TestAssets.SmolLM2, CpuBackend.Create(2, cache: Enum.Parse<DType>(cache)));
        double mean = harness.MeanNegativeLogLikelihood(ids), reference = nll.GetProperty("mean").GetDouble();
        output.WriteLine($"{mean:F5} for {reference:F5}: {(mean / reference) - 1:P3}");
        Assert.InRange((mean / reference) - 1, -bound, bound);
    }
}
