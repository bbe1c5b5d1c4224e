namespace KvPrefetch.Engine.Checkpoints;

/// <summary>quant_method awq: four bits, groups of inputs with scale and zero point, packed as the method's <c>gemm</c> version does.</summary>
internal static class AwqConfig
{
    public static Quantisation Read(ConfigSection section)
    {
        PackedFields.RequireFourBits(section, section.Has("w_bit") ? "w_bit" : "bits");
        _ = section.GetChoice("version", ["gemm", "GEMM"], "gemm");
        _ = section.GetChoice("backend", ["autoawq"], "autoawq");
        if (!section.GetBoolean("zero_point", true))
        {
            throw section.Unsupported("zero_point", "false", "true");
        }

        var field = section.Has("q_group_size") ? "q_group_size" : "group_size";
        Quantisation.RefuseOthers(section, "quant_method", "bits", "w_bit", "version", "backend", "zero_point", "group_size", "q_group_size", "modules_to_not_convert", "do_fuse", "fuse_max_seq_len", "modules_to_fuse", "exllama_config");
        return Quantisation.AllBut(section, "modules_to_not_convert", new QuantisationScheme(QuantisedStorage.Awq) { GroupSize = PackedFields.GroupSize(section, field), ZeroPoints = true });
    }
}
