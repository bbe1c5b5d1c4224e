namespace KvPrefetch.Engine.Checkpoints;

/// <summary>quant_method gptq: four bits, groups of inputs with scale and zero point; with desc_act inputs belong to groups in any order.</summary>
internal static class GptqConfig
{
    /// <summary>How the weights were found, how another program is to compute, and what the tensors themselves say.</summary>
    private static readonly string[] NotNeeded =
    [
        "dataset", "tokenizer", "damp_percent", "damp_auto_increment", "true_sequential", "static_groups", "act_group_aware", "mse", "model_seqlen", "max_input_length", "batch_size", "pad_token_id",
        "cache_block_outputs", "block_name_to_quantize", "module_name_preceding_first_block", "modules_in_block_to_quantize", "model_name_or_path", "model_file_base_name", "meta", "version", "quantizer",
        "use_exllama", "disable_exllama", "exllama_config", "use_cuda_fp16", "backend", "offload_to_disk", "parallel_packing", "lm_head", "sym",
    ];

    public static Quantisation Read(ConfigSection section)
    {
        PackedFields.RequireFourBits(section, "bits");
        _ = section.GetChoice("pack_dtype", ["int32"], "int32");
        var key = section.Has("checkpoint_format") ? "checkpoint_format" : "format";
        var format = section.GetChoice(key, ["gptq", "gptq_v2"], "gptq");
        _ = section.GetChoice("format", ["gptq", "gptq_v2"], "gptq");
        _ = section.FindBoolean("sym");    // both store their zero points
        Quantisation.RefuseOthers(section, ["quant_method", "bits", "pack_dtype", "checkpoint_format", "format", "group_size", "desc_act", "modules_to_not_convert", .. NotNeeded]);
        return Quantisation.AllBut(section, "modules_to_not_convert", new QuantisationScheme(QuantisedStorage.Gptq)
        {
            GroupSize = PackedFields.GroupSize(section),
            Permuted = section.GetBoolean("desc_act", false),
            ZeroPoints = true,
            ZeroOffset = format == "gptq" ? 1 : 0,    // the first format stores one less
        });
    }
}
