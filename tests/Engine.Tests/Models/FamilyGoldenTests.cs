using System.Runtime.InteropServices;
using System.Text.Json;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;

namespace KvPrefetch.Tests.Models;

/// <summary>Tiny random models of every family against the reference implementation: logits and greedy tokens.</summary>
public sealed class FamilyGoldenTests
{
    public static TheoryData<string> Families => [.. (string[])
    [
        "llama-bias", "llama-gqa", "llama-mqa-headdim", "llama-rope-dynamic", "llama-rope-linear", "llama-rope-llama3", "llama-rope-yarn", "llama-tied-mha",
        "arcee", "cohere", "cohere2", "ernie4_5", "exaone4", "gemma", "gemma2", "gemma3_text", "glm4", "granite", "helium", "internlm3", "lfm2", "mamba2", "falcon_h1", "qwen3_5_text", "olmo_hybrid", "ministral", "mistral-window",
        "nemotron", "olmo2", "olmo3", "phi", "phi3", "qwen2", "qwen2-window", "qwen3", "seed_oss", "smollm3", "stablelm", "starcoder2",
        "apertus", "gpt2", "gpt_neox", "hunyuan_v1_dense", "ministral3", "phi3-longrope",
        "mixtral", "qwen2_moe", "qwen3_moe", "olmoe", "granitemoe", "granitemoehybrid", "qwen3_next", "minimax_m2", "glm4_moe", "gpt_oss",
        "gemma3n_text", "gemma4_text", "gemma4_text-moe", "gemma4-wrapped", "gemma3-wrapped", "mistral3-wrapped", "qwen3_5-wrapped",
        "qwen3_5_moe_text", "lfm2_moe", "lfm3", "nemotron_h", "deepseek_v2", "deepseek_v3", "kimi_linear",
    ]];

    [Theory, MemberData(nameof(Families))]
    public void LogitsAndTokensEqualTheReference(string family) => Check(family, () => CpuBackend.Create(2), chunk: 512);

    [Theory, MemberData(nameof(Families))]
    public void LogitsAndTokensEqualTheReferenceInChunksOfFive(string family) => Check(family, () => CpuBackend.Create(2), chunk: 5);

    [Theory, MemberData(nameof(Families))]
    public void LogitsAndTokensEqualTheReferenceTokenByToken(string family) => Check(family, () => CpuBackend.Create(1), chunk: 1);

    [Theory, MemberData(nameof(Families))]
    public void TheNaiveBackendEqualsTheReferenceToo(string family) => Check(family, () => new ReferenceBackend(), chunk: 512);

    [Theory, MemberData(nameof(Families))]
    public void TheNaiveBackendEqualsTheReferenceInChunksOfFive(string family) => Check(family, () => new ReferenceBackend(), chunk: 5);

    [Theory, MemberData(nameof(Families))]
    public void TheNaiveBackendEqualsTheReferenceTokenByToken(string family) => Check(family, () => new ReferenceBackend(), chunk: 1);

    /// <summary>Prompts of eight lengths in one batch: who runs beside a sequence changes no bit of it.</summary>
    [Theory, MemberData(nameof(Families))]
    public void EightPromptsInOneBatchGiveTheBitsThatEachGivesAlone(string family) => CheckBatch(FolderOf(family));

    internal static void CheckBatch(string folder)
    {
        const int Steps = 4;
        using var harness = new ModelHarness(folder, CpuBackend.Create(2), chunk: 64);
        var random = new Random(8);
        List<int[]> prompts = [.. ((int[])[1, 2, 5, 9, 16, 17, 33, 41]).Select(length => Enumerable.Range(0, length).Select(_ => random.Next(harness.Vocabulary)).ToArray())];
        var together = harness.GreedyBatch(prompts, Steps);
        for (var i = 0; i < prompts.Count; i++)
        {
            var alone = harness.Greedy(prompts[i], Steps, out var tokens);
            Assert.Equal(tokens, together[i].Tokens);
            Assert.All(alone.Zip(together[i].Logits), pair => Assert.True(MemoryMarshal.AsBytes<float>(pair.First).SequenceEqual(MemoryMarshal.AsBytes<float>(pair.Second)), $"prompt of {prompts[i].Length} tokens"));
        }
    }

    private static string FolderOf(string family) => Path.Combine(TestAssets.Shared, "goldens", "families", family);

    private static void Check(string family, Func<IBackend> backend, int chunk) => CheckFolder(FolderOf(family), backend, chunk);

    /// <summary>Logits within 2e-4 of the folder's golden.json in relative norm, and its greedy tokens.</summary>
    internal static void CheckFolder(string folder, Func<IBackend> backend, int chunk)
    {
        using var golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "golden.json")));
        using var harness = new ModelHarness(folder, backend(), chunk);
        foreach (var example in golden.RootElement.GetProperty("cases").EnumerateArray())
        {
            var ids = Array(example, "ids", e => e.GetInt32());
            var expected = Array(example, "last_logits", e => e.GetSingle());
            var greedy = Array(example, "greedy_ids", e => e.GetInt32());
            var until = example.GetProperty("compare_until").GetInt32();
            var logits = harness.Greedy(ids, greedy.Length, out var tokens);
            Assert.InRange(RelativeError(logits[0], expected), 0, 2e-4);
            Assert.Equal(greedy[..until], tokens[..until]);
        }
    }

    private static T[] Array<T>(JsonElement element, string name, Func<JsonElement, T> read) => [.. element.GetProperty(name).EnumerateArray().Select(read)];

    private static double RelativeError(float[] actual, float[] expected)
    {
        var difference = actual.Zip(expected, (a, e) => Math.Pow(a - e, 2)).Sum();
        return Math.Sqrt(difference / expected.Sum(e => Math.Pow(e, 2)));
    }
}
