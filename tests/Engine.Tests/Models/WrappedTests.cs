using System.Text;
using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;
using KvPrefetch.Engine.Models;

namespace KvPrefetch.Tests.Models;

/// <summary>Multimodal folders opened for text: their layouts, what is left alone, what is refused.</summary>
public sealed class WrappedTests
{
    [Theory]
    [InlineData("model.language_model.", "lm_head.")]
    [InlineData("language_model.model.", "lm_head.")]
    [InlineData("language_model.model.", "language_model.lm_head.")]
    [InlineData("language_model.", "lm_head.")]
    [InlineData("model.text_model.", "lm_head.")]
    [InlineData("text_model.", "lm_head.")]
    [InlineData("model.", "lm_head.")]
    public void EveryPublishedLayoutGivesTheSameLogits(string body, string head)
    {
        using var copy = new Checkpoints.TempFolder();
        Rewrite("mistral3-wrapped", copy, names: n => n.StartsWith("language_model.model.", StringComparison.Ordinal) ? body + n["language_model.model.".Length..]
            : n.StartsWith("language_model.lm_head.", StringComparison.Ordinal) ? head + n["language_model.lm_head.".Length..] : n);
        using ModelHarness moved = new(copy.Path, CpuBackend.Create(1)), plain = new(FolderOf("mistral3-wrapped"), CpuBackend.Create(1));
        Assert.Equal(plain.Greedy([5, 6, 7], 2, out _)[1], moved.Greedy([5, 6, 7], 2, out _)[1]);
    }

    [Theory]
    [InlineData("gemma3-wrapped", "multi_modal_projector.* (", "vision_tower.* (")]
    [InlineData("mistral3-wrapped", "multi_modal_projector.* (4)", "vision_tower.* (")]
    [InlineData("qwen3_5-wrapped", "model.visual.* (")]
    public void WhatSeesIsLeftAloneAndNamedInOneLine(string family, params string[] modules)
    {
        var line = Assert.Single(Open(FolderOf(family)));
        Assert.All(modules, module => Assert.Contains(module, line, StringComparison.Ordinal));
    }

    [Fact]
    public void PublishedExtrasAreLeftAloneAndNamed()
    {
        using var copy = new Checkpoints.TempFolder();
        Rewrite("qwen3_5_text", copy, extra: "mtp.layers.0.mlp.up_proj.weight");
        Assert.Contains("mtp.layers.0.mlp.up_proj.weight", Assert.Single(Open(copy.Path)), StringComparison.Ordinal);
    }

    [Fact]
    public void AStrangeTensorInsideTheLanguageModelIsRefused()
    {
        using var copy = new Checkpoints.TempFolder();
        Rewrite("mistral3-wrapped", copy, extra: "language_model.model.layers.0.self_attn.sinks");
        Assert.Contains("language_model.model.layers.0.self_attn.sinks", Assert.Throws<ModelIncompleteException>(() => Open(copy.Path)).Unexpected);
    }

    [Fact]
    public void TheWholeDecidesWhetherTheHeadIsTied()
    {
        using var copy = new Checkpoints.TempFolder();
        Rewrite("mistral3-wrapped", copy, config: c => c["tie_word_embeddings"] = true);
        using ModelHarness tied = new(copy.Path, CpuBackend.Create(1)), plain = new(FolderOf("mistral3-wrapped"), CpuBackend.Create(1));
        Assert.NotEqual(plain.Greedy([5, 6, 7], 1, out _)[0], tied.Greedy([5, 6, 7], 1, out _)[0]);
    }

    [Fact]
    public void FieldsAreNamedWithTheirSection()
    {
        Assert.Equal("text_config.hidden_size", Assert.Throws<ModelFormatException>(() => Describe("gemma3-wrapped", c => c["text_config"]!["hidden_size"] = 0)).Tensor);
        Assert.Equal("text_config", Assert.Throws<ModelFormatException>(() => Describe("gemma3-wrapped", c => c.Remove("text_config"))).Tensor);
        Assert.Equal("text_config.model_type", Assert.Throws<UnsupportedModelException>(() => Describe("gemma3-wrapped", c => c["text_config"]!["model_type"] = "bert")).Field);
        Assert.Equal("text_config.text_config", Assert.Throws<UnsupportedModelException>(() => Describe("gemma3-wrapped", c => c["text_config"]!["text_config"] = new JsonObject())).Field);
        Assert.Equal("quantization_config.quant_method", Assert.Throws<UnsupportedModelException>(() => Describe("gemma3-wrapped", c => c["quantization_config"] = new JsonObject { ["quant_method"] = "novel" })).Field);
    }

    internal static string FolderOf(string family) => Path.Combine(TestAssets.Shared, "goldens", "families", family);

    /// <summary>A copy of a golden folder with changes.</summary>
    internal static void Rewrite(string family, Checkpoints.TempFolder copy, Func<string, string>? names = null, string? extra = null, Action<JsonObject>? config = null)
    {
        var bytes = File.ReadAllBytes(Path.Combine(FolderOf(family), "model.safetensors"));
        var length = checked((int)BitConverter.ToInt64(bytes));
        var header = JsonNode.Parse(Encoding.UTF8.GetString(bytes, 8, length))!.AsObject();
        var renamed = new JsonObject();
        foreach (var (name, value) in header)
        {
            renamed[names?.Invoke(name) ?? name] = value!.DeepClone();
        }

        var data = bytes.AsSpan(8 + length).ToArray();
        if (extra is not null)
        {
            renamed[extra] = new JsonObject { ["dtype"] = "F32", ["shape"] = new JsonArray(1), ["data_offsets"] = new JsonArray(data.Length, data.Length + 4) };
            data = [.. data, 0, 0, 0, 0];
        }

        copy.Write("model.safetensors", Checkpoints.Bytes.File(Encoding.UTF8.GetBytes(renamed.ToJsonString()), data));
        var root = JsonNode.Parse(File.ReadAllText(Path.Combine(FolderOf(family), "config.json")))!.AsObject();
        config?.Invoke(root);
        copy.Write("config.json", root.ToJsonString());
    }

    /// <summary>Lines of the log.</summary>
    private static List<string> Open(string path)
    {
        List<string> lines = [];
        using var checkpoint = Checkpoint.Open(new ModelFolder(path));
        using var backend = CpuBackend.Create(1);
        using var model = ModelCatalog.Describe(HfConfig.Load(new ModelFolder(path))).Build(new WeightLoader(new WeightBinder(checkpoint, log: lines.Add), backend), 8, 1);
        return lines;
    }

    private static IModelFamily Describe(string family, Action<JsonObject> edit)
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(FolderOf(family), "config.json")))!.AsObject();
        edit(config);
        return ModelCatalog.Describe(HfConfig.Parse(Encoding.UTF8.GetBytes(config.ToJsonString())));
    }
}
