using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Checkpoints;

namespace KvPrefetch.Tests.Models;

/// <summary>No field is ignored in silence: each one, changed, changes what the model says or is refused; those that mean nothing here are named.</summary>
public sealed class FieldEffectTests
{
    /// <summary>About training, other tasks, other programs, tokens and what sees or hears: nothing that a language model computes from.</summary>
    private static readonly HashSet<string> Meaningless = new(StringComparer.Ordinal)
    {
        "_name_or_path", "architectures", "attention_dropout", "attn_pdrop", "audio_config", "audio_token_id", "boa_token_id", "boi_token_id", "boi_token_index", "bos_token_id", "chunk_size", "classifier_dropout",
        "dtype", "embd_pdrop", "embedding_dropout", "eoa_token_index", "eod_token_id", "eoi_token_id", "eoi_token_index", "eos_token_id", "hidden_dropout", "image_token_id", "image_token_index", "initializer_range",
        "is_decoder", "linear_a_log_max", "linear_a_log_min", "linear_dt_init_floor", "linear_dt_max", "linear_dt_min", "mamba_chunk_size", "mamba_ssm_cache_dtype", "mm_tokens_per_image", "moe_shared_expert_overlap",
        "mtp_layers_block_type", "multimodal_projector_bias", "num_logits_to_keep", "num_nextn_predict_layers", "output_router_logits", "pad_token_id", "pretraining_tp", "projector_hidden_act", "reorder_and_upcast_attn",
        "rescale_prenorm_residual", "resid_pdrop", "residual_dropout", "residual_in_fp32", "router_aux_loss_coef", "router_jitter_noise", "sep_token_id", "spatial_merge_size", "summary_activation", "summary_first_dropout",
        "summary_proj_to_labels", "summary_type", "summary_use_proj", "time_step_floor", "time_step_max", "time_step_min", "time_step_rank", "transformers_version", "unk_token_id", "use_cache", "use_mamba_kernels",
        "video_token_id", "vision_config", "vision_end_token_id", "vision_feature_layer", "vision_start_token_id",
    };

    /// <summary>Read, and of no effect in some of the tiny models: nothing of theirs uses it, another field decides, or a prompt of forty tokens does not get there.</summary>
    private static readonly HashSet<string> SometimesUnfelt = new(StringComparer.Ordinal)
    {
        "_sliding_window_pattern", "altup_active_idx", "altup_coef_clip", "beta_fast", "block_ffn_dim_multiplier", "expand", "full_attn_idxs", "head_dim", "hidden_act", "hidden_size_per_layer_input", "intermediate_size",
        "layer_types", "llama_4_scaling_beta", "mamba_expand", "mamba_norm_before_gate", "mamba_proj_bias", "max_position_embeddings", "max_window_layers", "mlp_multipliers", "model_max_length", "moe_intermediate_size",
        "n_group", "n_shared_experts", "no_rope_layer_interval", "num_experts", "num_key_value_heads", "num_kv_shared_layers", "original_max_position_embeddings", "rope_theta", "rope_type", "short_factor", "sliding_window",
        "sliding_window_pattern", "ssm_multipliers", "swiglu_limit", "tie_word_embeddings", "top_k_experts", "topk_group", "type", "use_double_wide_mlp", "use_sliding_window", "vocab_size_per_layer_input",
    };

    [Theory, MemberData(nameof(FamilyGoldenTests.Families), MemberType = typeof(FamilyGoldenTests))]
    public void AChangedFieldChangesTheLogitsOrIsRefused(string family)
    {
        var folder = WrappedTests.FolderOf(family);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!.AsObject();
        using var copy = new Checkpoints.TempFolder();
        File.Copy(Path.Combine(folder, "model.safetensors"), Path.Combine(copy.Path, "model.safetensors"));
        var expected = Logits(copy, config);
        foreach (var path in Leaves(config, []).Where(p => !Array.Exists(p, name => Meaningless.Contains(name) || SometimesUnfelt.Contains(name))))
        {
            foreach (var value in Others(At(config, path)))
            {
                var changed = config.DeepClone().AsObject();
                Set(changed, path, value);
                try
                {
                    Assert.False(Logits(copy, changed).AsSpan().SequenceEqual(expected), $"{string.Join('.', path)} = {value} is ignored");
                }
                catch (KvPrefetchException)
                {
                    // refused
                }
            }
        }
    }

    /// <summary>What published files may leave out, and what is then so.</summary>
    [Theory]
    [InlineData("apertus", "rope_parameters")]
    [InlineData("gpt_oss", "rope_parameters")]
    [InlineData("ministral3", "rope_parameters")]
    [InlineData("ministral3", "rope_parameters.rope_theta")]
    [InlineData("falcon_h1", "rope_parameters.rope_theta")]
    [InlineData("gemma4_text", "rope_parameters.full_attention.rope_theta")]
    public void WhatCannotBeGuessedMustBeGiven(string family, string field)
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(WrappedTests.FolderOf(family), "config.json")))!.AsObject();
        Set(config, field.Split('.'), Removed);
        var error = Assert.Throws<ModelFormatException>(() => Describe(config));
        Assert.Equal(field.Split('.')[^1], error.Tensor?.Split('.')[^1]);
    }

    [Theory]
    [InlineData("llama-gqa", "partial_rotary_factor", "0.5", "partial_rotary_factor")]
    [InlineData("mixtral", "layer_types", "[\"full_attention\", \"sliding_attention\"]", "layer_types")]
    [InlineData("gemma4_text", "use_bidirectional_attention", "\"all\"", "use_bidirectional_attention")]
    [InlineData("gemma4_text", "per_layer_config", "{\"1\": {\"intermediate_size\": 64}}", "per_layer_config.1.intermediate_size")]
    [InlineData("gemma4_text", "per_layer_config", "{\"6\": {\"head_dim\": 64}}", "per_layer_config.6")]
    public void WhatAFamilyDoesNotDoIsNamed(string family, string field, string value, string named)
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(WrappedTests.FolderOf(family), "config.json")))!.AsObject();
        config[field] = JsonNode.Parse(value);
        if (field == "layer_types")
        {
            (config["num_hidden_layers"], config["sliding_window"]) = (2, 12);
        }

        Assert.Equal(named, Assert.Throws<UnsupportedModelException>(() => Describe(config)).Field);
    }

    /// <summary>A field that is null and one that is missing are two things.</summary>
    [Fact]
    public void AMissingWindowIsTheFamilysOwnAndNullIsNone()
    {
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(WrappedTests.FolderOf("mistral-window"), "config.json")))!.AsObject();
        Set(config, ["sliding_window"], Removed);
        Assert.All(Describe(config).Shape.Cache, layer => Assert.Equal(4096, layer.Window));
        config["sliding_window"] = null;
        Assert.All(Describe(config).Shape.Cache, layer => Assert.Equal(0, layer.Window));
    }

    /// <summary>The text_config of Gemma 3 as it was published: most sizes are left out.</summary>
    [Fact]
    public void GemmaThreeAsPublishedIsRead()
    {
        var config = JsonNode.Parse("""
            {"model_type": "gemma3", "text_config": {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text", "num_hidden_layers": 34,
             "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}, "vision_config": {"model_type": "siglip_vision_model"}}
            """)!.AsObject();
        var shape = Describe(config).Shape;
        Assert.Equal((262_208, 131_072, 34), (shape.Vocabulary, shape.MaxPositions, shape.Cache.Count));
        Assert.Equal(5, shape.Cache.Count(layer => layer == new KvPrefetch.Engine.Backends.KvLayer(4, 256)));
        Assert.Equal(29, shape.Cache.Count(layer => layer == new KvPrefetch.Engine.Backends.KvLayer(4, 256, 1024)));
    }

    private const string Removed = "(removed)";

    private static KvPrefetch.Engine.Models.IModelFamily Describe(JsonObject config) => KvPrefetch.Engine.Models.ModelCatalog.Describe(HfConfig.Parse(Encoding.UTF8.GetBytes(config.ToJsonString())));

    private static float[] Logits(Checkpoints.TempFolder copy, JsonObject config)
    {
        copy.Write("config.json", config.ToJsonString());
        using var harness = new ModelHarness(copy.Path, CpuBackend.Create(1), chunk: 64, pages: 16);
        return harness.Greedy([.. Enumerable.Range(0, 40).Select(i => (i * 37 + 11) % 310)], 1, out _)[0];
    }

    internal static IEnumerable<string[]> Leaves(JsonObject section, string[] path)
    {
        foreach (var (name, value) in section)
        {
            string[] here = [.. path, name];
            if (value is JsonObject inner && inner.Count > 0)
            {
                foreach (var leaf in Leaves(inner, here))
                {
                    yield return leaf;
                }
            }
            else
            {
                yield return here;
            }
        }
    }

    internal static JsonNode? At(JsonObject config, string[] path) => path.Aggregate((JsonNode?)config, (node, name) => node![name]);

    private static void Set(JsonObject config, string[] path, string value)
    {
        var parent = path[..^1].Aggregate((JsonNode)config, (node, name) => node[name]!).AsObject();
        if (value == Removed)
        {
            parent.Remove(path[^1]);
        }
        else
        {
            parent[path[^1]] = JsonNode.Parse(value);
        }
    }

    private static string[] Others(JsonNode? value) => value?.GetValueKind() switch
    {
        null or JsonValueKind.Null => ["1", "true", "0.5"],
        JsonValueKind.True => ["false"],
        JsonValueKind.False => ["true"],
        JsonValueKind.Number when value.AsValue().TryGetValue<long>(out var n) => [$"{n + 1}", $"{n * 2}", $"{n / 2}"],
        JsonValueKind.Number => [FormattableString.Invariant($"{(value.GetValue<double>() * 1.5) + 0.01}")],
        JsonValueKind.String => ["\"gelu\"", "\"relu\""],
        JsonValueKind.Array when value.AsArray().Count > 0 => [new JsonArray([.. value.AsArray().Reverse().Select(v => v?.DeepClone())]).ToJsonString(), new JsonArray([.. value.AsArray().Skip(1).Select(v => v?.DeepClone())]).ToJsonString()],
        _ => ["[1]"],
    };
}
