using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;
using KvPrefetch.Engine.Models;

namespace KvPrefetch.Tests.Models;

/// <summary>What families refuse by name, and how they read what is stored in its own way.</summary>
public sealed class FamilyFieldTests
{
    [Theory]
    [InlineData("gpt2", "activation_function", "\"relu\"")]
    [InlineData("gpt2", "add_cross_attention", "true")]
    [InlineData("gpt_neox", "hidden_act", "\"relu\"")]
    [InlineData("apertus", "hidden_act", "\"silu\"")]
    [InlineData("apertus", "post_norm", "true")]
    [InlineData("hunyuan_v1_dense", "use_qk_norm", "false")]
    [InlineData("hunyuan_v1_dense", "use_cla", "true")]
    [InlineData("ministral3", "hidden_act", "\"gelu\"")]
    [InlineData("mixtral", "hidden_act", "\"gelu\"")]
    [InlineData("olmoe", "clip_qkv", "8.0")]
    [InlineData("minimax_m2", "scoring_func", "\"softmax\"")]
    [InlineData("minimax_m2", "shared_intermediate_size", "64")]
    [InlineData("minimax_m2", "attn_type_list", "[1, 0, 1]")]
    [InlineData("deepseek_v2", "norm_topk_prob", "true")]
    [InlineData("deepseek_v2", "scoring_func", "\"sigmoid\"")]
    [InlineData("deepseek_v2", "topk_method", "\"noaux_tc\"")]
    [InlineData("deepseek_v2", "moe_layer_freq", "2")]
    [InlineData("deepseek_v2", "num_key_value_heads", "2")]
    [InlineData("deepseek_v3", "topk_method", "\"greedy\"")]
    [InlineData("deepseek_v3", "hidden_act", "\"gelu\"")]
    [InlineData("kimi_linear", "hidden_act", "\"situ\"")]
    [InlineData("kimi_linear", "mla_use_nope", "false")]
    [InlineData("kimi_linear", "mla_use_output_gate", "true")]
    [InlineData("kimi_linear", "attn_res_block_size", "4")]
    [InlineData("kimi_linear", "forget_gate_lower_bound", "-5.0")]
    [InlineData("nemotron_h", "sliding_window", "8")]
    [InlineData("nemotron_h", "mlp_hidden_act", "\"silu\"")]
    [InlineData("nemotron_h", "layers_block_type", "[\"mamba\", \"x\"]")]
    [InlineData("lfm3", "layer_types", "[\"conv\", \"conv\", \"linear_attention\", \"conv\"]")]
    public void WhatAFamilyDoesNotDoIsRefusedByName(string family, string field, string value) =>
        Assert.Equal(field, Assert.Throws<UnsupportedModelException>(() => Describe(family, c => c[field] = JsonNode.Parse(value))).Field);

    [Theory]
    [InlineData("gpt2", "n_head", "3", "n_embd")]
    [InlineData("gpt2", "n_positions", "0", "n_positions")]
    [InlineData("mixtral", "num_experts_per_tok", "5", "num_experts_per_tok")]
    [InlineData("mixtral", "num_local_experts", "0", "num_local_experts")]
    [InlineData("qwen2_moe", "decoder_sparse_step", "0", "decoder_sparse_step")]
    [InlineData("qwen2_moe", "shared_expert_intermediate_size", "null", "shared_expert_intermediate_size")]
    [InlineData("qwen3_moe", "moe_intermediate_size", "-48", "moe_intermediate_size")]
    [InlineData("glm4_moe", "n_group", "3", "n_group")]
    [InlineData("glm4_moe", "topk_group", "2", "topk_group")]
    [InlineData("gpt_oss", "swiglu_limit", "0", "swiglu_limit")]
    [InlineData("granitemoe", "logits_scaling", "0", "logits_scaling")]
    [InlineData("gpt_oss", "rope_parameters", "null", "rope_parameters")]
    [InlineData("deepseek_v2", "topk_method", "\"group_limited_greedy\"", "topk_method")]
    [InlineData("deepseek_v3", "qk_head_dim", "33", "qk_head_dim")]
    [InlineData("deepseek_v3", "n_group", "3", "n_group")]
    [InlineData("deepseek_v3", "kv_lora_rank", "0", "kv_lora_rank")]
    [InlineData("kimi_linear", "num_experts_per_token", "9", "num_experts_per_token")]
    [InlineData("nemotron_h", "head_dim", "null", "head_dim")]
    [InlineData("nemotron_h", "num_hidden_layers", "5", "layers_block_type")]
    [InlineData("nemotron_h", "n_groups", "3", "mamba_num_heads")]
    [InlineData("lfm2", "tie_embedding", "true", "tie_embedding")]
    [InlineData("lfm2_moe", "num_dense_layers", "-1", "num_dense_layers")]
    [InlineData("lfm3", "rope_parameters", "null", "rope_parameters")]
    public void ValuesThatCannotBeAreNamed(string family, string field, string value, string named) =>
        Assert.Equal(named, Assert.Throws<ModelFormatException>(() => Describe(family, c => c[field] = JsonNode.Parse(value))).Tensor);

    [Fact]
    public void LongropeFactorsAreAsManyAsPairsTurn() =>
        Assert.Equal("rope_parameters.long_factor", Assert.Throws<ModelFormatException>(() => Describe("phi3-longrope", c => c["rope_parameters"]!["long_factor"]!.AsArray().RemoveAt(0))).Tensor);

    [Fact]
    public void Gpt2NamesMayLackTheirPrefixAndCopiesAreSaid()
    {
        using var copy = new Checkpoints.TempFolder();
        var folder = FolderOf("gpt2");
        var bytes = File.ReadAllBytes(Path.Combine(folder, "model.safetensors"));
        var length = checked((int)BitConverter.ToInt64(bytes));
        var header = System.Text.Encoding.UTF8.GetString(bytes, 8, length).Replace("\"transformer.", "\"", StringComparison.Ordinal);
        copy.Write("model.safetensors", Checkpoints.Bytes.File(System.Text.Encoding.UTF8.GetBytes(header), bytes.AsSpan(8 + length)));
        copy.Write("config.json", File.ReadAllText(Path.Combine(folder, "config.json")));

        List<string> lines = [];
        using var checkpoint = Checkpoint.Open(new ModelFolder(copy.Path));
        using var backend = CpuBackend.Create(1);
        using var model = ModelCatalog.Describe(HfConfig.Load(new ModelFolder(copy.Path))).Build(new WeightLoader(new WeightBinder(checkpoint, log: lines.Add), backend), 8, 1);
        Assert.Equal(["12 matrices are used the other way round than they are stored; transposed copies take 294912 bytes."], lines);

        using ModelHarness bare = new(copy.Path, CpuBackend.Create(1)), named = new(folder, CpuBackend.Create(1));
        Assert.Equal(named.Greedy([5, 6, 7], 1, out _)[0], bare.Greedy([5, 6, 7], 1, out _)[0]);
    }

    private static string FolderOf(string family) => Path.Combine(TestAssets.Shared, "goldens", "families", family);

    private static IModelFamily Describe(string family, Action<JsonObject> edit)
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(FolderOf(family), "config.json")))!.AsObject();
        edit(config);
        return ModelCatalog.Describe(HfConfig.Parse(System.Text.Encoding.UTF8.GetBytes(config.ToJsonString())));
    }
}
