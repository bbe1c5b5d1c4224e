using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Backends.Cpu;

namespace KvPrefetch.Tests.Models;

/// <summary>Quantised folders made of known values: what they compute is what the same weights in float32 compute, and what does not fit is named.</summary>
public sealed class QuantisedModelTests(ITestOutputHelper output)
{
    private readonly int _seed = Random.Shared.Next();

    public static TheoryData<string> Kinds =>
    [
        "gptq", "gptq-desc_act", "gptq_v2", "gptq_v2-desc_act", "awq", "ct-int4", "ct-int4-asym", "ct-int4-channel", "ct-int4-asym-actorder", "ct-fp8-tensor", "ct-fp8-channel", "ct-fp8-block", "fp8-block", "fp8-tensor",
    ];

    [Theory, MemberData(nameof(Kinds))]
    public void PackedWeightsGiveTheBitsThatTheirFloatsGive(string kind)
    {
        output.WriteLine($"seed {_seed}");
        using var folder = new QuantisedFolder(QuantisedKind.Of(kind), _seed);
        foreach (var chunk in (int[])[64, 5, 1])
        {
            AssertSame(folder, () => CpuBackend.Create(2), chunk);
        }

        AssertSame(folder, () => new ReferenceBackend(), 64);
    }

    [Theory]
    [InlineData("awq", "modules_to_not_convert", "[\"self_attn\", \"model.layers.1.mlp.down_proj\"]")]
    [InlineData("gptq", "modules_to_not_convert", "[\"model.layers.*.self_attn\", \"down_proj\"]")]
    [InlineData("fp8-block", "modules_to_not_convert", "[\"model.layers.0.self_attn\", \"model.layers.1.self_attn\", \"mlp.down_proj\"]")]
    [InlineData("ct-int4", "ignore", "[\"lm_head\", \"re:.*self_attn.*\", \"re:.*down_proj$\"]")]
    public void ModulesThatAreListedAsPlainAreReadAsTheyAre(string kind, string field, string list)
    {
        static bool Plain(string module) => module.Contains("self_attn", StringComparison.Ordinal) || module.EndsWith("down_proj", StringComparison.Ordinal);
        using var folder = new QuantisedFolder(QuantisedKind.Of(kind), _seed, Plain, (_, config) => config[field] = JsonNode.Parse(list));
        AssertSame(folder, () => CpuBackend.Create(1), 64);
    }

    [Theory]
    [InlineData("awq", "modules_to_not_convert", "[\"q_proj\"]")]
    [InlineData("ct-int4", "ignore", "[\"re:.*q_proj\"]")]
    [InlineData("fp8-block", "modules_to_not_convert", "[\"model.layers.0\"]")]
    public void PackedTensorsOfAModuleThatIsListedAsPlainAreNotUsed(string kind, string field, string list)
    {
        using var folder = new QuantisedFolder(QuantisedKind.Of(kind), _seed, edit: (_, config) => config[field] = JsonNode.Parse(list));
        var error = Assert.ThrowsAny<KvPrefetchException>(() => Open(folder));
        Assert.Contains("model.layers.0.self_attn.q_proj", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gptq", "qzeros")]
    [InlineData("gptq", "qweight")]
    [InlineData("gptq", "scales")]
    [InlineData("gptq-desc_act", "g_idx")]
    [InlineData("awq", "scales")]
    [InlineData("ct-int4", "weight_shape")]
    [InlineData("ct-int4-asym", "weight_zero_point")]
    [InlineData("ct-int4-asym-actorder", "weight_g_idx")]
    [InlineData("ct-fp8-channel", "weight_scale")]
    [InlineData("fp8-block", "weight_scale_inv")]
    public void MC07_AMissingTensorOfAQuantisedMatrixIsNamed(string kind, string suffix)
    {
        const string Module = "model.layers.1.mlp.up_proj.";
        using var folder = new QuantisedFolder(QuantisedKind.Of(kind), _seed, edit: (tensors, _) => Assert.True(tensors.Remove(Module + suffix)));
        Assert.Equal([Module + suffix], Assert.Throws<ModelIncompleteException>(() => Open(folder)).Missing);
    }

    [Fact]
    public void GroupsInOrderNeedNoTensorThatSaysSo()
    {
        using var folder = new QuantisedFolder(QuantisedKind.Of("gptq"), _seed, edit: (tensors, _) => Assert.True(tensors.Remove("model.layers.0.mlp.up_proj.g_idx")));
        AssertSame(folder, () => CpuBackend.Create(1), 64);
    }

    [Fact]
    public void AZeroPointThatWasLostInTheFirstFormatComesBack()
    {
        // A zero point of 0 is stored as 15 there. Random ones hold it; this asks for nothing else.
        using var folder = new QuantisedFolder(QuantisedKind.Of("gptq"), 3, edit: (tensors, _) => Assert.Contains(tensors["model.layers.0.mlp.up_proj.qzeros"].Data, b => b >> 4 == 15));
        AssertSame(folder, () => CpuBackend.Create(1), 64);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(2)]
    [InlineData(int.MaxValue)]
    public void AGroupThatIsNotThereIsRefused(int group)
    {
        var error = Damage<ModelFormatException>("gptq-desc_act", "g_idx", t => t with { Data = [.. t.Data[..8], .. BitConverter.GetBytes(group), .. t.Data[12..]] });
        Assert.Equal("OutOfRange", error.Code);
        Assert.Contains($"input 2 into group {group}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MC09_AShapeThatSaysOtherwiseIsRefused() =>
        Assert.Equal("ShapeMismatch", Damage<ModelFormatException>("ct-int4", "weight_shape", _ => Stored.I64(64, 72)).Code);

    [Theory]
    [InlineData("gptq", "qweight")]
    [InlineData("awq", "qzeros")]
    [InlineData("ct-int4", "weight_packed")]
    [InlineData("ct-int4", "weight_scale")]
    [InlineData("fp8-block", "weight_scale_inv")]
    public void MC09_TensorsOfAnotherShapeAreRefused(string kind, string suffix) =>
        Assert.Equal("ShapeMismatch", Damage<ModelFormatException>(kind, suffix, t => t with { Shape = [t.Shape[0] / 2, t.Shape[1] * 2] }).Code);

    [Theory]
    [InlineData("gptq", "qweight", "U32")]
    [InlineData("awq", "scales", "I16")]
    [InlineData("fp8-block", "weight_scale_inv", "U32")]
    [InlineData("ct-int4-asym", "weight_zero_point", "F32")]
    public void TensorsOfAnotherTypeAreRefused(string kind, string suffix, string type) =>
        Assert.Contains(suffix, Damage<UnsupportedModelException>(kind, suffix, t => t with { Type = type }).Field, StringComparison.Ordinal);

    [Fact]
    public void BytesWithoutScalesAreNoWeights()
    {
        // F8 without a config that says how it is scaled.
        using var folder = new QuantisedFolder(QuantisedKind.Of("fp8-block"), _seed, edit: (_, config) => config["modules_to_not_convert"] = new JsonArray("model"));
        Assert.Contains("F8E4M3", Assert.Throws<UnsupportedModelException>(() => Open(folder)).Message, StringComparison.Ordinal);
    }

    private TError Damage<TError>(string kind, string suffix, Func<Stored, Stored> change)
        where TError : KvPrefetchException
    {
        var name = "model.layers.0.self_attn.q_proj." + suffix;
        using var folder = new QuantisedFolder(QuantisedKind.Of(kind), _seed, edit: (tensors, _) => tensors[name] = change(tensors[name]));
        return Assert.Throws<TError>(() => Open(folder));
    }

    private static void Open(QuantisedFolder folder) => LlmEngine.Load(folder.Packed).Dispose();

    private void AssertSame(QuantisedFolder folder, Func<IBackend> backend, int chunk)
    {
        int[] prompt = [.. Enumerable.Range(0, 23).Select(i => (i * 7) % QuantisedFolder.Vocabulary)];
        using ModelHarness packed = new(folder.Packed, backend(), chunk), plain = new(folder.Plain, backend(), chunk);
        var expected = plain.Greedy(prompt, 3, out _);
        var actual = packed.Greedy(prompt, 3, out _);
        Assert.All(expected, row => Assert.All(row, value => Assert.True(float.IsFinite(value))));
        Assert.All(expected.Zip(actual), pair => Assert.True(MemoryMarshal.AsBytes<float>(pair.First).SequenceEqual(MemoryMarshal.AsBytes<float>(pair.Second)), $"seed {_seed}"));
    }
}
