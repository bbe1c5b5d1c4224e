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

    private static string FolderOf(string name) => Path.Combine(TestAssets.Shared, "goldens", "quantised", name);
}
