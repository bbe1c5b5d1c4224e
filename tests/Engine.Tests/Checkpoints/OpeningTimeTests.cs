using System.Diagnostics;
using System.Text;
using KvPrefetch.Engine.Checkpoints;

namespace KvPrefetch.Tests.Checkpoints;

/// <summary>Nothing else of this process runs beside these tests.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "alone";
}

/// <summary>Opening reads headers and nothing else. Measured in processor time, which a busy machine changes little; the time on the clock is printed.</summary>
[Collection(Alone.Name)]
public sealed class OpeningTimeTests : IDisposable
{
    private readonly TempFolder _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void Sixteen_gigabytes_open_and_list_within_milliseconds()
    {
        // As large as a model of eight billion parameters: 8 shards, 296 tensors.
        WriteShards(i => $"model.layers.{i}.weight", 296, [4_096, 6_700]);
        using var checkpoint = Open(limit: 50);
        Assert.Equal((296, 8L * 37 * 4_096 * 6_700 * 2), (checkpoint.Names.Count, checkpoint.TotalBytes));
    }

    [Fact]
    public void Thirty_thousand_tensors_in_eight_shards_open_within_300_ms()
    {
        WriteShards(i => $"model.layers.{i / 512}.mlp.experts.{i % 512}.down_proj.weight", 30_000, [2_048, 1_408]);
        using var checkpoint = Open(limit: 300);
        Assert.Equal(30_000, checkpoint.Names.Count);
    }

    [Fact]
    public void The_real_model_opens_within_milliseconds()
    {
        using var checkpoint = Open(limit: 50, TestAssets.SmolLM2);
        Assert.Equal((272, 269_030_016L), (checkpoint.Names.Count, checkpoint.TotalBytes));
    }

    private void WriteShards(Func<int, string> name, int count, long[] shape)
    {
        const int shards = 8;
        var map = new StringBuilder("{\"weight_map\":{");
        for (var shard = 0; shard < shards; shard++)
        {
            var file = $"model-{shard + 1:d5}-of-{shards:d5}.safetensors";
            (string Name, long[] Shape)[] tensors = [.. Enumerable.Range(shard * count / shards, count / shards).Select(i => (name(i), shape))];
            _temp.WriteSparse(file, tensors);
            foreach (var tensor in tensors)
            {
                map.Append($"\"{tensor.Name}\":\"{file}\",");
            }
        }

        map.Length--;
        _temp.Write("model.safetensors.index.json", map.Append("}}").ToString());
    }

    /// <summary>Opens five times; the best must keep to the limit, in milliseconds.</summary>
    private Checkpoint Open(double limit, string? path = null)
    {
        var folder = new ModelFolder(path ?? _temp.Path);
        var (best, report) = (double.MaxValue, new StringBuilder());
        for (var i = 0; i < 5; i++)
        {
            var (clock, processor) = (Stopwatch.StartNew(), Environment.CpuUsage.TotalTime);
            using var checkpoint = Checkpoint.Open(folder);
            var (elapsed, used) = (clock.Elapsed.TotalMilliseconds, (Environment.CpuUsage.TotalTime - processor).TotalMilliseconds);
            best = Math.Min(best, used);
            report.Append($" {used:F1} ({elapsed:F1} on the clock)");
        }

        TestContext.Current.TestOutputHelper?.WriteLine("processor ms:" + report);
        Assert.True(best <= limit, $"at most {limit} ms are allowed:{report}");
        return Checkpoint.Open(folder);
    }
}
