using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Checkpoints;

namespace KvPrefetch.Tests.Checkpoints;

/// <summary>Rows MC01 to MC06 and MF42.</summary>
public sealed class CheckpointTests : IDisposable
{
    private readonly TempFolder _temp = new();
    private readonly List<string> _log = [];

    public void Dispose() => _temp.Dispose();

    private Checkpoint Open() => Checkpoint.Open(new ModelFolder(_temp.Path), _log.Add);

    private void WriteIndex(long totalSize, params (string Tensor, string File)[] map)
    {
        var index = new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = totalSize }, ["weight_map"] = new JsonObject(map.Select(m => KeyValuePair.Create<string, JsonNode?>(m.Tensor, m.File))) };
        _temp.Write("model.safetensors.index.json", index.ToJsonString());
    }

    private void WriteTwoShards()
    {
        _temp.Write("a.safetensors", Bytes.Tensors(("x", [2]), ("y", [3])));
        _temp.Write("b.safetensors", Bytes.Tensors(("z", [4])));
    }

    [Fact]
    public void A_single_file_is_opened_and_wins_over_an_index()
    {
        _temp.Write("model.safetensors", Bytes.Tensors(("x", [2]), ("y", [3])));
        WriteIndex(1, ("q", "missing.safetensors"));
        using var checkpoint = Open();
        Assert.Equal(["x", "y"], checkpoint.Names.Order(StringComparer.Ordinal));
        Assert.Equal(20, checkpoint.TotalBytes);
        Assert.True(checkpoint.TryGet("y", out var y) && y.ElementCount == 3 && checkpoint.Contains("x"));
        Assert.False(checkpoint.TryGet("q", out var none) || none.Exists);
    }

    [Fact]
    public void Shards_are_one_checkpoint()
    {
        WriteTwoShards();
        WriteIndex(36, ("x", "a.safetensors"), ("y", "a.safetensors"), ("z", "b.safetensors"));
        using var checkpoint = Open();
        Assert.Equal(["a.safetensors", "b.safetensors"], checkpoint.Files);
        Assert.True(checkpoint.TryGet("z", out var z) && z.ByteLength == 16);
        Assert.Equal(("b.safetensors", 36L), (checkpoint.FileOf("z"), checkpoint.TotalBytes));
        Assert.Empty(_log);
    }

    [Fact]
    public void Files_without_tensors_do_no_harm()
    {
        string[] names = ["a", "b", "c", "d", "e"];
        foreach (var name in names)
        {
            _temp.Write(name + ".safetensors", name is "b" or "d" ? Bytes.Tensors((name, [2])) : Bytes.File("{}"));
        }

        WriteIndex(16, ("b", "b.safetensors"), ("d", "d.safetensors"));
        using var checkpoint = Open();
        Assert.Equal(("b.safetensors", "d.safetensors"), (checkpoint.FileOf("b"), checkpoint.FileOf("d")));
        File.Delete(_temp.File("model.safetensors.index.json"));
        WriteIndex(16, [.. names.Select(n => (n, n + ".safetensors"))]);
        Assert.Equal(["a", "c", "e"], Assert.Throws<ModelIncompleteException>(Open).Missing);
    }

    [Fact]
    public void A_lone_file_of_another_name_is_opened_and_two_are_not()
    {
        _temp.Write("weights.safetensors", Bytes.Tensors(("x", [2])));
        using (var checkpoint = Open())
        {
            Assert.Equal(["weights.safetensors"], checkpoint.Files);
        }

        _temp.Write("more.safetensors", Bytes.Tensors(("x", [2])));
        Assert.Equal(["model.safetensors.index.json"], Assert.Throws<ModelIncompleteException>(Open).Missing);
    }

    [Fact]
    public void An_empty_folder_says_what_is_missing() => Assert.Equal(["model.safetensors"], Assert.Throws<ModelIncompleteException>(Open).Missing);

    [Theory]
    [InlineData("pytorch_model.bin", "pickle is never loaded")]
    [InlineData("model.pt", "pickle is never loaded")]
    [InlineData("consolidated.00.pth", "pickle is never loaded")]
    [InlineData("model-Q4_K_M.gguf", "GGUF")]
    public void MF42_only_other_formats(string name, string message)
    {
        _temp.Write(name, "x");
        Assert.Contains(message, Assert.Throws<UnsupportedModelException>(Open).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("/abs.safetensors")]
    [InlineData("C:\\x.safetensors")]
    [InlineData("\\\\host\\s.safetensors")]
    [InlineData("a/../../b.safetensors")]
    [InlineData("a\\..\\b.safetensors")]
    [InlineData("a\0.safetensors")]
    [InlineData("CON.safetensors")]
    public void MC01_an_index_cannot_name_files_elsewhere(string name)
    {
        WriteIndex(1, ("x", name));
        var error = Assert.Throws<ModelFormatException>(Open);
        Assert.Equal(("PathEscape", "model.safetensors.index.json"), (error.Code, error.File));
    }

    [Fact]
    public void MC01_an_index_cannot_name_pickle()
    {
        _temp.Write("pytorch_model.bin", "x");
        WriteIndex(1, ("x", "pytorch_model.bin"));
        Assert.Contains("pickle", Assert.Throws<UnsupportedModelException>(Open).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MC02_missing_shards_are_all_named()
    {
        WriteTwoShards();
        WriteIndex(1, [("x", "a.safetensors"), .. Enumerable.Range(0, 30).Select(i => ($"t{i}", $"m{i:d2}.safetensors"))]);
        var error = Assert.Throws<ModelIncompleteException>(Open);
        Assert.Equal(Enumerable.Range(0, 30).Select(i => $"m{i:d2}.safetensors"), error.Missing);
        Assert.Contains("incomplete download?", error.Message, StringComparison.Ordinal);
        Assert.Contains("10 more", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MC03_a_shard_lacks_a_tensor_that_the_index_places_there()
    {
        WriteTwoShards();
        WriteIndex(36, ("x", "a.safetensors"), ("y", "b.safetensors"), ("z", "b.safetensors"), ("w", "b.safetensors"));
        var error = Assert.Throws<ModelIncompleteException>(Open);
        Assert.Equal(["y", "w"], error.Missing);
        Assert.Contains("b.safetensors", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MC04_tensors_that_the_index_does_not_name_are_kept_and_logged()
    {
        WriteTwoShards();
        WriteIndex(36, ("x", "a.safetensors"), ("z", "b.safetensors"));
        using var checkpoint = Open();
        Assert.True(checkpoint.Contains("y"));
        Assert.Contains("'y'", Assert.Single(_log), StringComparison.Ordinal);
    }

    [Fact]
    public void MC05_one_tensor_in_two_shards()
    {
        _temp.Write("a.safetensors", Bytes.Tensors(("x", [2])));
        _temp.Write("b.safetensors", Bytes.Tensors(("x", [2]), ("y", [2])));
        WriteIndex(24, ("x", "a.safetensors"), ("y", "b.safetensors"));
        var error = Assert.Throws<ModelFormatException>(Open);
        Assert.Equal(("DuplicateTensor", "x"), (error.Code, error.Tensor));
        Assert.Contains("a.safetensors", error.Message, StringComparison.Ordinal);
        Assert.Contains("b.safetensors", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "NotJson")]
    [InlineData("x", "NotJson")]
    [InlineData("[]", "NotObject")]
    [InlineData("{}", "MissingField")]
    [InlineData("""{"weight_map":null}""", "MissingField")]
    [InlineData("""{"weight_map":["a"]}""", "MissingField")]
    [InlineData("""{"weight_map":{"x":1}}""", "InvalidField")]
    [InlineData("""{"weight_map":{"x":null}}""", "InvalidField")]
    [InlineData("""{"weight_map":{"x":"a.safetensors","x":"b.safetensors"}}""", "DuplicateField")]
    [InlineData("""{"weight_map":{"\ud800":"a.safetensors"}}""", "NotJson")]
    public void MC06_an_index_that_is_none(string json, string code)
    {
        _temp.Write("model.safetensors.index.json", json);
        Assert.Equal(code, Assert.Throws<ModelFormatException>(Open).Code);
    }

    [Fact]
    public void MC06_another_total_size_is_a_warning()
    {
        WriteTwoShards();
        WriteIndex(35, ("x", "a.safetensors"), ("y", "a.safetensors"), ("z", "b.safetensors"));
        using var checkpoint = Open();
        Assert.Contains("36", Assert.Single(_log), StringComparison.Ordinal);
    }

    [Fact]
    public void A_bad_shard_closes_the_good_ones()
    {
        WriteTwoShards();
        _temp.Write("b.safetensors", "short");
        WriteIndex(36, ("x", "a.safetensors"), ("z", "b.safetensors"));
        Assert.Equal("HeaderTooSmall", Assert.Throws<ModelFormatException>(Open).Code);
        using var exclusive = new FileStream(_temp.File("a.safetensors"), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
    }

    [Fact]
    public void Opening_allocates_in_proportion_to_the_headers_and_not_to_the_data()
    {
        _temp.WriteSparse("model.safetensors", ("t", [1_000_000_000]));
        Open().Dispose();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Open().Dispose();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 10);
    }
}
