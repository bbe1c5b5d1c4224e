using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends.Cpu;

namespace KvPrefetch.Tests.Models;

/// <summary>Weights that are quantised while loading: what it costs, and the same bits in any chunk.</summary>
public sealed class QuantisedWeightsTests(ITestOutputHelper output)
{
    /// <summary>The bounds of the option, of the mean negative log likelihood over the weights as stored: the reference's text.</summary>
    [Theory]
    [InlineData("Int8", 0.005)]
    [InlineData("Int4", 0.04)]
    public void TheyCostLittleOnTheTextOfTheReference(string weights, double bound)
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestAssets.Shared, "goldens", "smollm2", "generate.json")));
        var nll = golden.RootElement.GetProperty("nll");
        int[] ids = [.. nll.GetProperty("ids").EnumerateArray().Select(e => e.GetInt32())];
        using var harness = new ModelHarness(TestAssets.SmolLM2, CpuBackend.Create(2), weights: Enum.Parse<WeightFormat>(weights));
        double mean = harness.MeanNegativeLogLikelihood(ids), reference = nll.GetProperty("mean").GetDouble();
        output.WriteLine($"{weights}: {mean:F5} for {reference:F5}: {(mean / reference) - 1:P3}");
        Assert.InRange((mean / reference) - 1, -0.01, bound);
    }
}
