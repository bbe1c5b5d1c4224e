using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KvPrefetch.Tests.Provider;

public sealed class TinyModelTests
{
    [Fact]
    public void The_same_seed_gives_the_same_files_and_another_seed_other_weights()
    {
        using var a = TinyModel.Create(new() { Seed = 7 });
        using var b = TinyModel.Create(new() { Seed = 7 });
        using var c = TinyModel.Create(new() { Seed = 8 });
        foreach (var file in Directory.GetFiles(a.Path))
        {
            Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(Path.Combine(b.Path, Path.GetFileName(file))));
        }

        Assert.NotEqual(File.ReadAllBytes(Path.Combine(a.Path, "model.safetensors")), File.ReadAllBytes(Path.Combine(c.Path, "model.safetensors")));
    }

    [Theory]
    [InlineData("BF16", 2, true)]
    [InlineData("F16", 2, false)]
    [InlineData("F32", 4, false)]
    public void Tensors_fill_the_file_without_a_gap(string dtype, int elementSize, bool tied)
    {
        using var model = TinyModel.Create(new() { DType = dtype, TiedHead = tied, AttentionBias = true, MlpBias = true, HeadDim = 24 });
        var bytes = File.ReadAllBytes(Path.Combine(model.Path, "model.safetensors"));
        var headerLength = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes);
        using var header = JsonDocument.Parse(bytes.AsMemory(8, headerLength));
        long end = 0;
        foreach (var tensor in header.RootElement.EnumerateObject().Where(p => p.Name is not "__metadata__"))
        {
            var elements = tensor.Value.GetProperty("shape").EnumerateArray().Aggregate(1L, (product, n) => product * n.GetInt64());
            Assert.Equal(end, tensor.Value.GetProperty("data_offsets")[0].GetInt64());
            end = tensor.Value.GetProperty("data_offsets")[1].GetInt64();
            Assert.Equal(elements * elementSize, end - tensor.Value.GetProperty("data_offsets")[0].GetInt64());
        }

        Assert.Equal(0, (8 + headerLength) % 8);
        Assert.Equal(bytes.Length, 8 + headerLength + end);
        Assert.Equal(!tied, header.RootElement.TryGetProperty("lm_head.weight", out _));
    }

    [Theory]
    [InlineData(260)]
    [InlineData(320)]
    [InlineData(2000)]
    public void The_vocabulary_has_every_id_once_and_every_merge_has_its_parts(int size)
    {
        using var model = TinyModel.Create(new() { VocabularySize = size });
        var bpe = JsonNode.Parse(File.ReadAllText(Path.Combine(model.Path, "tokenizer.json")))!["model"]!;
        var vocabulary = bpe["vocab"]!.AsObject();
        Assert.Equal(Enumerable.Range(0, size), vocabulary.Select(p => p.Value!.GetValue<int>()).Order());
        foreach (var merge in bpe["merges"]!.AsArray())
        {
            Assert.All(merge!.AsArray(), part => Assert.True(vocabulary.ContainsKey(part!.GetValue<string>())));
            Assert.True(vocabulary.ContainsKey(merge[0]!.GetValue<string>() + merge[1]!.GetValue<string>()));
        }
    }
}
