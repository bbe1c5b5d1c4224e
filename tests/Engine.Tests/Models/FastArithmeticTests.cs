using System.Runtime.InteropServices;
using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Models;

/// <summary>Activations rounded to bfloat16 before each product: the same bits whatever the chunk, and what it costs.</summary>
public sealed class FastArithmeticTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("families", "llama-gqa", "Auto")]
    [InlineData("families", "llama-gqa", "Managed")]
    [InlineData("families", "llama-gqa", "VectorDots")]
    [InlineData("families", "mixtral", "Auto")]
    [InlineData("families", "qwen3_next", "Auto")]
    [InlineData("quantised", "llama-gptq", "Auto")]
    [InlineData("quantised", "gpt_oss-mxfp4", "Auto")]
    public void ATokenHasTheSameBitsInAnyChunk(string kind, string name, string kernels)
    {
        var folder = Path.Combine(TestAssets.Shared, "goldens", kind, name);
        var random = new Random(3);
        List<float[]>? expected = null;
        foreach (var chunk in (int[])[64, 5, 1])
        {
            using var harness = new ModelHarness(folder, CpuBackend.Create(2, arithmetic: Arithmetic.Fast, kernels: Enum.Parse<ProductKernels>(kernels)), chunk);
            var prompt = Enumerable.Range(0, 41).Select(i => (i * 31 + 7) % harness.Vocabulary).ToArray();
            var logits = harness.Greedy(prompt, 3, out _);
            expected ??= logits;
            Assert.All(expected.Zip(logits), pair => Assert.True(MemoryMarshal.AsBytes<float>(pair.First).SequenceEqual(MemoryMarshal.AsBytes<float>(pair.Second)), $"chunk {chunk}"));
        }
    }

    [Fact]
    public void TheOptionsReachTheBackend()
    {
        using var model = TinyModel.Create();
        string Name(Arithmetic arithmetic, CpuKernels kernels)
        {
            using var engine = LlmEngine.Load(model.Path, new EngineOptions { Backend = ComputeBackend.Cpu, Threads = 1, Arithmetic = arithmetic, CpuKernels = kernels });
            return engine.Stats.Backend;
        }

        using var plain = CpuBackend.Create(1);
        using var managed = CpuBackend.Create(1, cache: DType.BF16);
        using var fast = CpuBackend.Create(1, arithmetic: Arithmetic.Fast, cache: DType.BF16);
        Assert.Equal(plain.Name, Name(Arithmetic.Exact, CpuKernels.Auto));
        Assert.Equal(managed.Name, Name(Arithmetic.Fast, CpuKernels.Managed));
        Assert.Equal(fast.Name, Name(Arithmetic.Fast, CpuKernels.Auto));
        Assert.Equal("CpuKernels", Assert.Throws<InvalidRequestException>(() => Name(Arithmetic.Exact, (CpuKernels)2)).ParamName);
    }

    /// <summary>The bound of the option, with the cache that goes with it: 0.2 % of the reference's mean negative log likelihood over a thousand tokens.</summary>
    [Theory]
    [InlineData("Auto")]
    public void ItCostsLittle(string kernels)
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestAssets.Shared, "goldens", "smollm2", "generate.json")));
        var nll = golden.RootElement.GetProperty("nll");
        int[] ids = [.. nll.GetProperty("ids").EnumerateArray().Select(e => e.GetInt32())];
        using var harness = new ModelHarness(TestAssets.SmolLM2, CpuBackend.Create(2, arithmetic: Arithmetic.Fast, kernels: Enum.Parse<ProductKernels>(kernels), cache: DType.BF16));
        double mean = harness.MeanNegativeLogLikelihood(ids), reference = nll.GetProperty("mean").GetDouble();
        output.WriteLine($"{mean:F5} for {reference:F5}: {(mean / reference) - 1:P3}");
        Assert.InRange((mean / reference) - 1, -0.002, 0.002);
    }
}
