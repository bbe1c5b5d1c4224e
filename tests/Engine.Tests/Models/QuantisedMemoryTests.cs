using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Tests.Checkpoints;

namespace KvPrefetch.Tests.Models;

/// <summary>A quantised folder takes its size in memory, mapped pages included, and no more than a tenth beyond it.</summary>
[Collection(Alone.Name)]
public sealed class QuantisedMemoryTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("gptq")]
    [InlineData("awq")]
    [InlineData("compressed-tensors")]
    [InlineData("mxfp4")]
    public void AFourBitFolderGrowsNoFurtherThanItsFileAndATenth(string method)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "counts resident pages as Linux does");
        using (var small = Write(method, hidden: 256, inner: 256, layers: 1))
        {
            Run(small.Path).Dispose();    // the runtime's own growth comes first
        }

        using var folder = Write(method, hidden: 1024, inner: 4096, layers: method == "mxfp4" ? 8 : 20);
        var file = new FileInfo(Path.Combine(folder.Path, "model.safetensors")).Length;
        GC.Collect();
        var before = Environment.WorkingSet;
        using var harness = Run(folder.Path);
        var growth = Environment.WorkingSet - before;
        output.WriteLine($"{method}: file {file:N0} bytes, growth {growth:N0}, {(double)growth / file:P0}");
        Assert.InRange(growth, file / 2, file * 11 / 10);
    }

    private static ModelHarness Run(string path)
    {
        var harness = new ModelHarness(path, CpuBackend.Create(2), chunk: 16, pages: 2);
        harness.Greedy([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], 3, out _);
        return harness;
    }

    /// <summary>Zeros, which take no room on the disk.</summary>
    private static TempFolder Write(string method, int hidden, int inner, int layers)
    {
        const int Group = 128, Vocabulary = 320, KvHeads = 2;
        var moe = method == "mxfp4";
        List<(string Name, string Type, int Size, long[] Shape)> tensors =
            [("model.embed_tokens.weight", "BF16", 2, [Vocabulary, hidden]), ("lm_head.weight", "BF16", 2, [Vocabulary, hidden]), ("model.norm.weight", "BF16", 2, [hidden])];
        Dictionary<string, long[]> matrices = [];
        void Linear(string name, int outputs, int inputs)
        {
            matrices.Add(name + ".weight_shape", [outputs, inputs]);
            (string, string, int, long[])[] all = method switch
            {
                "gptq" => [("qweight", "I32", 4, [inputs / 8, outputs]), ("qzeros", "I32", 4, [inputs / Group, outputs / 8]), ("scales", "F16", 2, [inputs / Group, outputs])],
                "awq" => [("qweight", "I32", 4, [inputs, outputs / 8]), ("qzeros", "I32", 4, [inputs / Group, outputs / 8]), ("scales", "F16", 2, [inputs / Group, outputs])],
                "mxfp4" => [("weight", "BF16", 2, [outputs, inputs]), ("bias", "BF16", 2, [outputs])],
                _ => [("weight_packed", "I32", 4, [outputs, inputs / 8]), ("weight_scale", "BF16", 2, [outputs, inputs / Group]), ("weight_shape", "I64", 8, [2])],
            };
            foreach (var (suffix, type, size, shape) in all)
            {
                tensors.Add(($"{name}.{suffix}", type, size, shape));
            }
        }

        for (var i = 0; i < layers; i++)
        {
            var layer = $"model.layers.{i}.";
            tensors.Add((layer + "input_layernorm.weight", "BF16", 2, [hidden]));
            tensors.Add((layer + "post_attention_layernorm.weight", "BF16", 2, [hidden]));
            foreach (var name in (string[])["q_proj", "k_proj", "v_proj", "o_proj"])
            {
                Linear(layer + "self_attn." + name, name is "k_proj" or "v_proj" ? KvHeads * 64 : hidden, hidden);
            }

            if (moe)
            {
                // Two experts, each chosen by every token.
                tensors.Add((layer + "self_attn.sinks", "BF16", 2, [hidden / 64]));
                Linear(layer + "mlp.router", 2, hidden);
                tensors.AddRange(
                [
                    (layer + "mlp.experts.gate_up_proj_blocks", "U8", 1, [2, 2 * inner, hidden / 32, 16]), (layer + "mlp.experts.gate_up_proj_scales", "U8", 1, [2, 2 * inner, hidden / 32]), (layer + "mlp.experts.gate_up_proj_bias", "BF16", 2, [2, 2 * inner]),
                    (layer + "mlp.experts.down_proj_blocks", "U8", 1, [2, hidden, inner / 32, 16]), (layer + "mlp.experts.down_proj_scales", "U8", 1, [2, hidden, inner / 32]), (layer + "mlp.experts.down_proj_bias", "BF16", 2, [2, hidden]),
                ]);
                continue;
            }

            Linear(layer + "mlp.gate_proj", inner, hidden);
            Linear(layer + "mlp.up_proj", inner, hidden);
            Linear(layer + "mlp.down_proj", hidden, inner);
        }

        var (header, offset) = (new JsonObject(), 0L);
        List<(long, long[])> shapes = [];
        foreach (var (name, type, size, shape) in tensors)
        {
            if (matrices.TryGetValue(name, out var stored))
            {
                shapes.Add((offset, stored));
            }

            var end = offset + (shape.Aggregate(1L, (a, b) => a * b) * size);
            header[name] = new JsonObject { ["dtype"] = type, ["shape"] = new JsonArray([.. shape.Select(n => (JsonNode)n)]), ["data_offsets"] = new JsonArray(offset, end) };
            offset = end;
        }

        var folder = new TempFolder();
        var json = Encoding.UTF8.GetBytes(header.ToJsonString());
        using (var stream = new FileStream(folder.Write("model.safetensors", Bytes.File(json, default)), FileMode.Open, FileAccess.Write))
        {
            stream.SetLength(8 + json.Length + offset);
            foreach (var (position, shape) in shapes)
            {
                stream.Position = 8 + json.Length + position;
                stream.Write(MemoryMarshal.AsBytes<long>(shape));
            }
        }

        var config = new JsonObject
        {
            ["model_type"] = moe ? "gpt_oss" : "llama", ["hidden_act"] = "silu", ["hidden_size"] = hidden, ["intermediate_size"] = inner, ["num_hidden_layers"] = layers, ["num_attention_heads"] = hidden / 64,
            ["num_key_value_heads"] = KvHeads, ["head_dim"] = 64, ["vocab_size"] = Vocabulary, ["max_position_embeddings"] = 128, ["rms_norm_eps"] = 1e-5, ["tie_word_embeddings"] = false,
            ["rope_parameters"] = new JsonObject { ["rope_type"] = "default", ["rope_theta"] = 10000.0 },
            ["quantization_config"] = JsonNode.Parse(method switch
            {
                "gptq" => "{\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":128}",
                "awq" => "{\"quant_method\":\"awq\",\"bits\":4,\"group_size\":128}",
                "mxfp4" => "{\"quant_method\":\"mxfp4\"}",
                _ => "{\"quant_method\":\"compressed-tensors\",\"config_groups\":{\"a\":{\"targets\":[\"Linear\"],\"weights\":{\"num_bits\":4,\"type\":\"int\",\"group_size\":128}}}}",
            }),
        };
        if (moe)
        {
            (config["num_local_experts"], config["num_experts_per_tok"]) = (2, 2);
        }

        folder.Write("config.json", config.ToJsonString());
        return folder;
    }
}
