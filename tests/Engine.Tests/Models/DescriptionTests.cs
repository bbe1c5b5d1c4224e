using System.Diagnostics;
using System.Text;
using KvPrefetch.Engine;
using KvPrefetch.Tests.Checkpoints;

namespace KvPrefetch.Tests.Models;

/// <summary>What is said of a folder without reading its weights.</summary>
[Collection(Alone.Name)]
public sealed class DescriptionTests
{
    [Theory, MemberData(nameof(FamilyGoldenTests.Families), MemberType = typeof(FamilyGoldenTests))]
    public void EveryFamilyIsDescribedAsItIsLoaded(string family)
    {
        var folder = WrappedTests.FolderOf(family);
        var description = LlmEngine.Describe(folder);
        using var engine = LlmEngine.Load(folder, new EngineOptions { Threads = 1, MaxBatchSequences = 1, MaxBatchTokens = 16 });
        Assert.Equal((engine.Model.Parameters, engine.Model.ModelType, engine.Model.ContextLength), (description.Parameters, description.ModelType, description.MaxContextLength));

        // Pages are whole, and windows take what a step adds: a little more than what is said for a whole context.
        Assert.InRange(description.SequenceBytes(description.MaxContextLength), engine.Stats.KvCacheBytes / 8, engine.Stats.KvCacheBytes);
        Assert.All(description.Layers, kind => Assert.InRange(kind.Value, 1, 1024));
    }

    [Fact]
    public void LayersAndWindowsAreCounted()
    {
        var gemma = LlmEngine.Describe(WrappedTests.FolderOf("gemma3-wrapped"));
        Assert.Equal(("gemma3", "gemma3_text"), (gemma.ModelType, gemma.TextModelType));
        Assert.Equal([KeyValuePair.Create("sliding_attention", 6), KeyValuePair.Create("full_attention", 1)], gemma.Layers);
        Assert.Equal((7 * gemma.KvBytesPerTokenBeyondWindows, 0L), (gemma.KvBytesPerToken, gemma.StateBytesPerSequence));
        Assert.Equal(gemma.KvBytesPerTokenBeyondWindows * (100 + (6 * 12)), gemma.SequenceBytes(100));
        var hybrid = LlmEngine.Describe(WrappedTests.FolderOf("qwen3_5_text"));
        Assert.Equal([KeyValuePair.Create("linear_attention", 3), KeyValuePair.Create("full_attention", 1)], hybrid.Layers);
        Assert.True(hybrid.StateBytesPerSequence > 0);
        Assert.Equal((null, false), (hybrid.TokenizerTokens, hybrid.HasChatTemplate));
    }

    [Fact]
    public void WhatIsMissingOrLeftOverIsSaidWithoutLoadingToo()
    {
        using var copy = new TempFolder();
        WrappedTests.Rewrite("llama-gqa", copy, names: n => n == "model.norm.weight" ? "model.norm.scale" : n);
        var error = Assert.Throws<ModelIncompleteException>(() => LlmEngine.Describe(copy.Path));
        Assert.Equal(["model.norm.weight"], error.Missing);
        Assert.Equal(["model.norm.scale"], error.Unexpected);
    }

    /// <summary>Measured in processor time, as the opening alone is; the files are sparse.</summary>
    [Fact]
    public void ThirtyThousandTensorsOfSixteenGigabytesAreOpenedAndCheckedWithin300Ms()
    {
        const int Layers = 77, Experts = 128, Hidden = 512, Inner = 536, Shards = 8;
        using var temp = new TempFolder();
        List<(string Name, long[] Shape)> tensors = [("model.embed_tokens.weight", [1000, Hidden]), ("model.norm.weight", [Hidden]), ("lm_head.weight", [1000, Hidden])];
        for (var i = 0; i < Layers; i++)
        {
            var prefix = $"model.layers.{i}.";
            tensors.AddRange((ReadOnlySpan<(string, long[])>)[
                (prefix + "input_layernorm.weight", [Hidden]), (prefix + "post_attention_layernorm.weight", [Hidden]), (prefix + "self_attn.q_proj.weight", [512, Hidden]),
                (prefix + "self_attn.k_proj.weight", [128, Hidden]), (prefix + "self_attn.v_proj.weight", [128, Hidden]), (prefix + "self_attn.o_proj.weight", [Hidden, 512]),
                (prefix + "self_attn.q_norm.weight", [64]), (prefix + "self_attn.k_norm.weight", [64]), (prefix + "mlp.gate.weight", [Experts, Hidden]),
            ]);
            for (var e = 0; e < Experts; e++)
            {
                tensors.AddRange((ReadOnlySpan<(string, long[])>)[
                    ($"{prefix}mlp.experts.{e}.gate_proj.weight", [Inner, Hidden]), ($"{prefix}mlp.experts.{e}.up_proj.weight", [Inner, Hidden]), ($"{prefix}mlp.experts.{e}.down_proj.weight", [Hidden, Inner])]);
            }
        }

        var map = new StringBuilder("{\"weight_map\":{");
        for (var shard = 0; shard < Shards; shard++)
        {
            var file = $"model-{shard + 1:d5}-of-{Shards:d5}.safetensors";
            var own = tensors.Where((_, i) => i * Shards / tensors.Count == shard).ToArray();
            temp.WriteSparse(file, own);
            Array.ForEach(own, t => map.Append($"\"{t.Name}\":\"{file}\","));
        }

        map.Length--;
        temp.Write("model.safetensors.index.json", map.Append("}}").ToString());
        temp.Write("config.json", $$"""
            {"model_type":"qwen3_moe","hidden_size":{{Hidden}},"intermediate_size":{{Inner}},"moe_intermediate_size":{{Inner}},"num_hidden_layers":{{Layers}},"num_attention_heads":8,"num_key_value_heads":2,
            "head_dim":64,"num_experts":{{Experts}},"num_experts_per_tok":8,"vocab_size":1000,"max_position_embeddings":4096,"rms_norm_eps":1e-6,"hidden_act":"silu","norm_topk_prob":true,"tie_word_embeddings":false}
            """);
        var (best, report) = (double.MaxValue, new StringBuilder());
        for (var i = 0; i < 5; i++)
        {
            var (clock, processor) = (Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
            var description = LlmEngine.Describe(temp.Path);
            var (elapsed, used) = (clock.Elapsed.TotalMilliseconds, (Environment.CpuUsage.TotalTime - processor).TotalMilliseconds);
            best = Math.Min(best, used);
            report.Append($" {used:F1} ({elapsed:F1} on the clock)");
            Assert.InRange(description.Tensors, 30_000, 31_000);
            Assert.InRange(description.WeightBytes, 15_900_000_000, 17_200_000_000);
        }

        TestContext.Current.TestOutputHelper?.WriteLine("processor ms:" + report);
        Assert.True(best <= 300, $"at most 300 ms are allowed:{report}");
    }
}
