using System.Runtime.InteropServices;
using System.Text.Json;
using KvPrefetch.Engine.Backends.Cpu;

namespace KvPrefetch.Tests.Models;

/// <summary>A real model against the reference implementation: greedy tokens, top logits, whole logit vectors, mean negative log likelihood.</summary>
public sealed class SmolLM2GoldenTests
{
    [Fact]
    public void SixteenPromptsGiveTheReferencesTokensAndTopLogits()
    {
        using var golden = Golden();
        using var harness = new ModelHarness(TestAssets.SmolLM2, CpuBackend.Create(2));
        foreach (var prompt in golden.RootElement.GetProperty("prompts").EnumerateArray())
        {
            var name = prompt.GetProperty("name").GetString()!;
            var expected = Ints(prompt, "greedy_ids");
            var until = prompt.GetProperty("compare_until").GetInt32();
            var logits = harness.Greedy(Ints(prompt, "prompt_ids"), expected.Length, out var tokens)[0];
            Assert.Equal(expected[..until], tokens[..until]);
            foreach (var top in prompt.GetProperty("top20").EnumerateArray())
            {
                Assert.InRange(Math.Abs(logits[top[0].GetInt32()] - top[1].GetSingle()), 0, 1e-3);
            }

            var file = Path.Combine(TestAssets.Shared, "goldens", "smollm2", $"logits-{name}.f32");
            if (File.Exists(file))
            {
                var whole = MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(file)).ToArray();
                Assert.Equal(whole.Length, logits.Length);
                Assert.InRange(whole.Zip(logits, (a, b) => Math.Abs(a - b)).Max(), 0, 1e-3);
            }
        }
    }

    [Fact]
    public void MeanNegativeLogLikelihoodOfAThousandTokensEqualsTheReferences()
    {
        using var golden = Golden();
        var nll = golden.RootElement.GetProperty("nll");
        var ids = Ints(nll, "ids");
        using var harness = new ModelHarness(TestAssets.SmolLM2, CpuBackend.Create(2));
        Assert.InRange(Math.Abs(harness.MeanNegativeLogLikelihood(ids) - nll.GetProperty("mean").GetDouble()), 0, 1e-4);
    }

    private static JsonDocument Golden() => JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestAssets.Shared, "goldens", "smollm2", "generate.json")));

    private static int[] Ints(JsonElement element, string name) => [.. element.GetProperty(name).EnumerateArray().Select(e => e.GetInt32())];
}
