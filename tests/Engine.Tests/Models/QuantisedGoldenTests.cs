using System.Text;
using System.Text.Json.Nodes;
using KvPrefetch.Engine.Backends.Cpu;

namespace KvPrefetch.Tests.Models;

/// <summary>Tiny quantised models in the layouts that makers publish, against the reference implementation.</summary>
public sealed class QuantisedGoldenTests
{
    public static TheoryData<string> Folders =>
        ["qwen3-fp8-block", "qwen3-fp8-block-partial", "gpt_oss-mxfp4", "llama-gptq", "llama-awq", "llama-ct-int4", "llama-ct-int4-asym", "llama-ct-fp8"];

    [Theory, MemberData(nameof(Folders))]
    public void LogitsAndTokensEqualTheReference(string name) => FamilyGoldenTests.CheckFolder(FolderOf(name), () => CpuBackend.Create(2), chunk: 512);

    [Theory, MemberData(nameof(Folders))]
    public void LogitsAndTokensEqualTheReferenceInChunksOfFive(string name) => FamilyGoldenTests.CheckFolder(FolderOf(name), () => CpuBackend.Create(2), chunk: 5);

    [Theory, MemberData(nameof(Folders))]
    public void LogitsAndTokensEqualTheReferenceTokenByToken(string name) => FamilyGoldenTests.CheckFolder(FolderOf(name), () => CpuBackend.Create(1), chunk: 1);

    [Theory, MemberData(nameof(Folders))]
    public void TheNaiveBackendEqualsTheReferenceToo(string name) => FamilyGoldenTests.CheckFolder(FolderOf(name), () => new ReferenceBackend(), chunk: 512);

    [Theory, MemberData(nameof(Folders))]
    public void TheNaiveBackendEqualsTheReferenceInChunksOfFive(string name) => FamilyGoldenTests.CheckFolder(FolderOf(name), () => new ReferenceBackend(), chunk: 5);

    [Theory, MemberData(nameof(Folders))]
    public void EightPromptsInOneBatchGiveTheBitsThatEachGivesAlone(string name) => FamilyGoldenTests.CheckBatch(FolderOf(name));

    /// <summary>A multimodal wrapper: the config of the quantisation stands outside text_config and names modules as the wrapper does.</summary>
    [Fact]
    public void AWrappedModelIsQuantisedAsItsWholeSays()
    {
        using var wrapped = new Checkpoints.TempFolder();
        var folder = FolderOf("llama-awq");
        var bytes = File.ReadAllBytes(Path.Combine(folder, "model.safetensors"));
        var length = checked((int)BitConverter.ToInt64(bytes));
        var header = Encoding.UTF8.GetString(bytes, 8, length).Replace("\"model.", "\"language_model.model.", StringComparison.Ordinal).Replace("\"lm_head", "\"language_model.lm_head", StringComparison.Ordinal);
        wrapped.Write("model.safetensors", Checkpoints.Bytes.File(Encoding.UTF8.GetBytes(header), bytes.AsSpan(8 + length)));
        var text = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!.AsObject();
        var quantisation = text["quantization_config"]!.DeepClone();
        quantisation["modules_to_not_convert"] = new JsonArray("vision_tower", "language_model.lm_head");
        text.Remove("quantization_config");
        wrapped.Write("config.json", new JsonObject { ["model_type"] = "mistral3", ["text_config"] = text, ["quantization_config"] = quantisation }.ToJsonString());
        wrapped.Write("golden.json", File.ReadAllBytes(Path.Combine(folder, "golden.json")));
        FamilyGoldenTests.CheckFolder(wrapped.Path, () => CpuBackend.Create(2), chunk: 64);
    }

    private static string FolderOf(string name) => Path.Combine(TestAssets.Shared, "goldens", "quantised", name);
}
