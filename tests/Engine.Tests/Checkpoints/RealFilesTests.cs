using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Checkpoints;

/// <summary>Folders that transformers wrote.</summary>
public sealed class RealFilesTests
{
    [Fact]
    public void Every_golden_folder_opens_and_its_configuration_reads()
    {
        var folders = new[] { "families", "quantised" }.SelectMany(f => Directory.GetDirectories(Path.Combine(TestAssets.Shared, "goldens", f))).ToList();
        Assert.True(folders.Count >= 70);
        foreach (var path in folders)
        {
            var folder = new ModelFolder(path);
            Assert.Equal(Path.GetFileName(path), folder.Name);
            using var checkpoint = Checkpoint.Open(folder);
            foreach (var name in checkpoint.Names)
            {
                Assert.True(checkpoint.TryGet(name, out var tensor) && tensor.Exists && tensor.ByteLength > 0);
            }

            var config = HfConfig.Load(folder);
            Assert.NotEmpty(config.ModelType);
            Assert.Equal(DType.BF16, config.DeclaredType ?? DType.BF16);
            var generation = GenerationConfig.Load(folder, config.Has("text_config") ? 1_000 : config.GetInt32("vocab_size", 1, int.MaxValue));
            Assert.True(generation.EosTokens.Count <= 1);
        }
    }

    [Fact]
    public void Rope_parameters_of_the_llama_goldens_are_read()
    {
        RopeParameters Rope(string name) => RopeParameters.Read(HfConfig.Load(new ModelFolder(Path.Combine(TestAssets.Shared, "goldens", "families", name))));
        Assert.Equal(new RopeParameters { Kind = RopeKind.Default, Theta = 10_000 }, Rope("llama-gqa"));
        Assert.Equal(new RopeParameters { Kind = RopeKind.Linear, Theta = 10_000, Factor = 4 }, Rope("llama-rope-linear"));
        Assert.Equal(new RopeParameters { Kind = RopeKind.Dynamic, Theta = 10_000, Factor = 4, OriginalMaxPositions = Rope("llama-rope-dynamic").OriginalMaxPositions }, Rope("llama-rope-dynamic"));
        Assert.Equal(new RopeParameters { Kind = RopeKind.Llama3, Theta = 500_000, Factor = 8, OriginalMaxPositions = 64, LowFrequencyFactor = 1, HighFrequencyFactor = 4 }, Rope("llama-rope-llama3"));
        Assert.Equal(new RopeParameters { Kind = RopeKind.Yarn, Theta = 10_000, Factor = 4, OriginalMaxPositions = 64, AttentionFactor = 1 + (0.1 * Math.Log(4)) }, Rope("llama-rope-yarn"));
        Assert.False(Rope("gpt_oss").Truncate);
        Assert.Equal(0.5, Rope("glm4").PartialRotaryFactor);
    }

    [Fact]
    public void The_real_model_is_read()
    {
        var folder = new ModelFolder(TestAssets.SmolLM2);
        var config = HfConfig.Load(folder);
        Assert.Equal(("llama", DType.BF16, 100_000d), (config.ModelType, config.DeclaredType, RopeParameters.Read(config).Theta));
        Assert.Equal([2], GenerationConfig.Load(folder, 49_152).EosTokens);
        using var checkpoint = Checkpoint.Open(folder);
        Assert.True(checkpoint.TryGet("model.embed_tokens.weight", out var embedding) && embedding.Shape.SequenceEqual<long>([49_152, 576]));
        FiniteCheck.Require(embedding);
    }
}
