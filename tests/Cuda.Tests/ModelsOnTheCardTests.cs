using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Backends.Cuda;
using KvPrefetch.Engine.Numerics;
using KvPrefetch.Tests.Models;

namespace KvPrefetch.Tests.Cuda;

/// <summary>Tiny random models of every family and a real one, on the card, against the reference implementation.</summary>
public sealed class ModelsOnTheCardTests(ITestOutputHelper output)
{
    private static readonly CudaOptions Exact = new() { KvType = DType.F32, TensorCores = false };

    public static TheoryData<string> Families
    {
        get
        {
            var folder = Path.Combine(Environment.GetEnvironmentVariable("KVPREFETCH_SHARED") ?? "", "goldens", "families");
            return Directory.Exists(folder) ? [.. Directory.GetDirectories(folder).Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)] : ["none"];
        }
    }

    [Theory, MemberData(nameof(Families))]
    public void LogitsAndTokensEqualTheReference(string family) => Check(family, Exact, 512, 2e-4);

    [Theory, MemberData(nameof(Families))]
    public void LogitsAndTokensEqualTheReferenceInChunksOfFive(string family) => Check(family, Exact, 5, 2e-4);

    /// <summary>What a user gets: keys and values in bf16, tensor cores where there are many rows. How far bf16 leads is measured: twice what rounded activations make of the same prompts on the processor.</summary>
    [Theory, MemberData(nameof(Families))]
    public void LogitsInBf16AreNearTheReferences(string family)
    {
        Card.Open(new()).Dispose();
        var noise = Noise(family);
        output.WriteLine($"{family}: the processor's error in bf16 is {noise:g3}");
        Check(family, new CudaOptions(), 512, Math.Max(5e-2, 2 * noise));
    }

    /// <summary>Without a card: the distance from the reference that bf16 has by itself, for the test above.</summary>
    [Theory, MemberData(nameof(Families))]
    public void TheProcessorInBf16IsNearTheReferences(string family)
    {
        Assert.SkipWhen(family == "none", "KVPREFETCH_SHARED does not name the goldens");
        output.WriteLine($"{family} {Noise(family):g3}");
    }

    [Fact]
    public void SixteenPromptsOfTheRealModelGiveTheReferencesTokens()
    {
        var folder = TestAssets.SmolLM2;
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestAssets.Shared, "goldens", "smollm2", "generate.json")));
        using var harness = new ModelHarness(folder, Card.Open(Exact));
        foreach (var prompt in golden.RootElement.GetProperty("prompts").EnumerateArray())
        {
            var expected = Read(prompt, "greedy_ids", e => e.GetInt32());
            var until = prompt.GetProperty("compare_until").GetInt32();
            var logits = harness.Greedy(Read(prompt, "prompt_ids", e => e.GetInt32()), expected.Length, out var tokens)[0];
            Assert.Equal(expected[..until], tokens[..until]);
            Assert.All(prompt.GetProperty("top20").EnumerateArray(), top => Assert.InRange(Math.Abs(logits[top[0].GetInt32()] - top[1].GetSingle()), 0, 1e-3));
        }
    }

    /// <param name="family">Folder of the goldens.</param>
    /// <param name="options">How the card computes.</param>
    /// <param name="chunk">Tokens of a step.</param>
    /// <param name="tolerance">Relative error of the logits after the prompt.</param>
    private void Check(string family, CudaOptions options, int chunk, double tolerance)
    {
        Assert.SkipWhen(family == "none", "KVPREFETCH_SHARED does not name the goldens");
        var folder = Path.Combine(TestAssets.Shared, "goldens", "families", family);
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "golden.json")));
        using var harness = Harness(folder, options, chunk);
        var worst = 0.0;
        foreach (var example in golden.RootElement.GetProperty("cases").EnumerateArray())
        {
            var expected = Read(example, "last_logits", e => e.GetSingle());
            var greedy = Read(example, "greedy_ids", e => e.GetInt32());
            var until = example.GetProperty("compare_until").GetInt32();
            var logits = harness.Greedy(Read(example, "ids", e => e.GetInt32()), greedy.Length, out var tokens);
            worst = Math.Max(worst, RelativeError(logits[0], expected));
            if (options.KvType == DType.F32)
            {
                Assert.Equal(greedy[..until], tokens[..until]);
            }
        }

        output.WriteLine($"relative error {worst:g3}");
        Assert.InRange(worst, 0, tolerance);
    }

    private static double Noise(string family)
    {
        var folder = Path.Combine(TestAssets.Shared, "goldens", "families", family);
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "golden.json")));
        try
        {
            using var harness = new ModelHarness(folder, CpuBackend.Create(1, arithmetic: Arithmetic.Fast));
            return golden.RootElement.GetProperty("cases").EnumerateArray().Max(example =>
                RelativeError(harness.Greedy(Read(example, "ids", e => e.GetInt32()), 1, out _)[0], Read(example, "last_logits", e => e.GetSingle())));
        }
        catch (UnsupportedModelException e)
        {
            Assert.Skip(e.Message);
            throw;
        }
    }

    /// <summary>A family that this engine or this backend refuses by name is skipped with that sentence.</summary>
    private static ModelHarness Harness(string folder, CudaOptions options, int chunk)
    {
        var backend = Card.Open(options);
        try
        {
            return new ModelHarness(folder, backend, chunk);
        }
        catch (Exception e) when (e is UnsupportedModelException or DeviceException { Code: DeviceException.Unsupported })
        {
            backend.Dispose();
            Assert.Skip(e.Message);
            throw;
        }
    }

    private static T[] Read<T>(JsonElement element, string name, Func<JsonElement, T> read) => [.. element.GetProperty(name).EnumerateArray().Select(read)];

    private static double RelativeError(float[] actual, float[] expected) =>
        Math.Sqrt(actual.Zip(expected, (a, e) => Math.Pow(a - e, 2)).Sum() / expected.Sum(e => Math.Pow(e, 2)));
}
