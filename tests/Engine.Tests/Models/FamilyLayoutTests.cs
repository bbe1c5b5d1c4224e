using System.Text.Json.Nodes;
using KvPrefetch.Engine.Backends.Cpu;

namespace KvPrefetch.Tests.Models;

/// <summary>One model in several spellings of its files: all give the same bits.</summary>
public sealed class FamilyLayoutTests
{
    private static readonly int[] Prompt = [5, 6, 7, 250, 9, 1, 33];

    public static TheoryData<string, string> Stacked => new()
    {
        { "mixtral", "block_sparse_moe" }, { "mixtral", "mlp" }, { "minimax_m2", "block_sparse_moe" }, { "qwen2_moe", "mlp" }, { "qwen3_moe", "mlp" }, { "olmoe", "mlp" }, { "glm4_moe", "mlp" }, { "qwen3_next", "mlp" },
        { "qwen3_5_moe_text", "mlp" }, { "lfm2_moe", "feed_forward" }, { "nemotron_h", "mixer" }, { "deepseek_v2", "mlp" }, { "deepseek_v3", "mlp" }, { "kimi_linear", "block_sparse_moe" }, { "kimi_linear", "mlp" },
    };

    /// <summary>Experts one by one, as most are published, and stacked in two tensors, as version 5 of the reference writes some.</summary>
    [Theory, MemberData(nameof(Stacked))]
    public void StackedExpertsGiveTheBitsOfSeparateOnes(string family, string scope)
    {
        using var copy = new Checkpoints.TempFolder();
        var file = Read(family);
        var count = 0;
        foreach (var layer in file.Keys.Where(n => n.Contains(".experts.0.", StringComparison.Ordinal)).Select(n => n[..n.IndexOf(".experts.0.", StringComparison.Ordinal)]).Distinct().ToList())
        {
            string[] gate = ["gate_proj", "w1"], up = ["up_proj", "w3"], down = ["down_proj", "w2"];
            var experts = Enumerable.Range(0, 64).TakeWhile(e => Named(e, up) is not null).ToList();
            var gated = Named(0, gate) is not null;
            Stack($"{layer}.experts.{(gated ? "gate_up_proj" : "up_proj")}", [.. experts.Select(e => Join([.. gated ? [file[Named(e, gate)!]] : (Tensor[])[], file[Named(e, up)!]]))]);
            Stack($"{layer}.experts.down_proj", [.. experts.Select(e => file[Named(e, down)!])]);
            file.Keys.Where(n => n.StartsWith(layer + ".experts.", StringComparison.Ordinal) && n.EndsWith(".weight", StringComparison.Ordinal)).ToList().ForEach(n => file.Remove(n));
            count++;

            string? Named(int expert, string[] names) => names.Select(n => $"{layer}.experts.{expert}.{n}.weight").FirstOrDefault(file.ContainsKey);
        }

        Assert.True(count > 0);
        Write(copy, file.ToDictionary(p => p.Key.Replace(".block_sparse_moe.", $".{scope}.", StringComparison.Ordinal), p => p.Value), Config(family));
        AssertSame(family, copy);

        void Stack(string name, Tensor[] tensors) => file[name] = new Tensor([tensors.Length, .. tensors[0].Shape], [.. tensors.SelectMany(t => t.Bytes)]);
        static Tensor Join(Tensor[] tensors) => new([tensors.Sum(t => t.Shape[0]), tensors[0].Shape[1]], [.. tensors.SelectMany(t => t.Bytes)]);
    }

    [Fact]
    public void LayersOfNemotronMayBeLetters() => AssertSame("nemotron_h", config =>
    {
        config.Remove("layers_block_type");
        config["hybrid_override_pattern"] = "ME*-";
        config["num_hidden_layers"] = 4;
    });

    /// <summary>Products to a width and back that change nothing.</summary>
    [Fact]
    public void ExpertsMayWorkInAWidthOfTheirOwn()
    {
        using var copy = new Checkpoints.TempFolder();
        var (file, config) = (Read("nemotron_h"), Config("nemotron_h"));
        var identity = new byte[64 * 64 * 2];
        for (var i = 0; i < 64; i++)
        {
            BitConverter.TryWriteBytes(identity.AsSpan(i * 65 * 2), (ushort)0x3F80);
        }

        foreach (var name in (string[])["fc1_latent_proj", "fc2_latent_proj"])
        {
            file[$"backbone.layers.1.mixer.{name}.weight"] = new Tensor([64, 64], identity);
        }

        config["moe_latent_size"] = 64;
        Write(copy, file, config);
        AssertSame("nemotron_h", copy);
    }

    /// <summary>As Kimi-Linear-48B-A3B is published.</summary>
    [Fact]
    public void KimisLinearLayersMayHaveASectionOfTheirOwn() => AssertSame("kimi_linear", config =>
    {
        foreach (var field in (string[])["layer_types", "mlp_layer_types", "linear_conv_kernel_dim", "linear_head_dim", "linear_num_heads", "q_lora_rank"])
        {
            config.Remove(field);
        }

        config["q_lora_rank"] = null;
        config["first_k_dense_replace"] = 1;
        config["mla_use_nope"] = true;
        config["moe_layer_freq"] = 1;
        config["moe_router_activation_func"] = "sigmoid";
        config["linear_attn_config"] = JsonNode.Parse("""{"full_attn_layers": [4], "kda_layers": [1, 2, 3], "head_dim": 16, "num_heads": 4, "short_conv_kernel_size": 4}""");
    });

    [Fact]
    public void AWindowOfLfm3ThatSeesEverythingIsFullAttention() => AssertSame("lfm3", config =>
    {
        config["layer_types"]![2] = "sliding_attention";
        config["sliding_window"] = 512;
        config["rope_parameters"]!["sliding_attention"] = config["rope_parameters"]!["full_attention"]!.DeepClone();
    });

    private static void AssertSame(string family, Action<JsonObject> edit)
    {
        using var copy = new Checkpoints.TempFolder();
        var config = Config(family);
        edit(config);
        Write(copy, Read(family), config);
        AssertSame(family, copy);
    }

    private static void AssertSame(string family, Checkpoints.TempFolder copy)
    {
        using ModelHarness expected = new(FolderOf(family), CpuBackend.Create(1)), actual = new(copy.Path, CpuBackend.Create(1));
        Assert.Equal(expected.Greedy(Prompt, 3, out _), actual.Greedy(Prompt, 3, out _));
    }

    private static string FolderOf(string family) => Path.Combine(TestAssets.Shared, "goldens", "families", family);

    private static JsonObject Config(string family) => JsonNode.Parse(File.ReadAllText(Path.Combine(FolderOf(family), "config.json")))!.AsObject();

    private static Dictionary<string, Tensor> Read(string family)
    {
        var bytes = File.ReadAllBytes(Path.Combine(FolderOf(family), "model.safetensors"));
        var start = 8 + checked((int)BitConverter.ToInt64(bytes));
        return JsonNode.Parse(bytes.AsSpan(8, start - 8))!.AsObject().Where(p => p.Key != "__metadata__").ToDictionary(p => p.Key, p =>
        {
            int from = p.Value!["data_offsets"]![0]!.GetValue<int>(), to = p.Value["data_offsets"]![1]!.GetValue<int>();
            return new Tensor([.. p.Value["shape"]!.AsArray().Select(n => n!.GetValue<int>())], bytes[(start + from)..(start + to)]);
        });
    }

    private static void Write(Checkpoints.TempFolder folder, Dictionary<string, Tensor> tensors, JsonObject config)
    {
        var header = new JsonObject();
        var offset = 0;
        foreach (var (name, tensor) in tensors)
        {
            header[name] = new JsonObject
            {
                ["dtype"] = "BF16",
                ["shape"] = new JsonArray([.. tensor.Shape.Select(n => (JsonNode)n)]),
                ["data_offsets"] = new JsonArray(offset, offset += tensor.Bytes.Length),
            };
        }

        folder.Write("model.safetensors", Checkpoints.Bytes.File(System.Text.Encoding.UTF8.GetBytes(header.ToJsonString()), tensors.Values.SelectMany(t => t.Bytes).ToArray()));
        folder.Write("config.json", config.ToJsonString());
    }

    /// <summary>In bfloat16.</summary>
    private sealed record Tensor(int[] Shape, byte[] Bytes);
}
