using System.Globalization;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>quant_method compressed-tensors: groups of modules, each FP8 (a scale a tensor, an output or a block) or int4 in packed words (a scale an output or a group, zero points or none).</summary>
internal static class CompressedTensorsConfig
{
    private const int MaxGroups = 256;

    /// <summary>Bytes beside their scales; the second name is that of early files.</summary>
    private const string Fp8Format = "float-quantized", EarlyFp8Format = "naive-quantized";

    /// <summary>Each group has a format of its own.</summary>
    private const string Mixed = "mixed-precision";

    public static Quantisation Read(ConfigSection section)
    {
        var format = section.GetChoice("format", ["pack-quantized", Fp8Format, EarlyFp8Format, Mixed], Mixed);
        _ = section.GetChoice("quantization_status", ["compressed"], "compressed");
        if (section.Has("kv_cache_scheme"))
        {
            throw section.Unsupported("kv_cache_scheme", "given", "null");
        }

        if (section.Section("sparsity_config") is { } sparsity)
        {
            _ = sparsity.GetChoice("format", ["dense"], "dense");
        }

        foreach (var field in (ReadOnlySpan<string>)["transform_config", "moe_sparsity_config"])
        {
            if (!section.IsEmpty(field))
            {
                throw section.Unsupported(field, "given", "null or empty");
            }
        }

        var groups = section.GetSection("config_groups");
        List<string> names = [.. groups.Fields];
        if (names.Count is 0 or > MaxGroups)
        {
            throw section.Invalid("config_groups", $"must hold 1 to {MaxGroups} groups");
        }

        Quantisation.RefuseOthers(section, "quant_method", "config_groups", "format", "quantization_status", "kv_cache_scheme", "sparsity_config", "transform_config", "moe_sparsity_config", "ignore", "global_compression_ratio", "version", "provider");
        var activations = false;
        List<(ModulePatterns, QuantisationScheme)> schemes = [];
        foreach (var name in names)
        {
            var group = groups.GetSection(name);
            if (group.Has("output_activations"))
            {
                throw group.Unsupported("output_activations", "given", "null");
            }

            activations |= group.Section("input_activations") is not null;
            Quantisation.RefuseOthers(group, "targets", "weights", "input_activations", "output_activations", "format");
            schemes.Add((ModulePatterns.Read(group, "targets", exact: true, everything: "Linear"), Scheme(group.GetSection("weights"), group, group.FindString("format") ?? format, group.Has("format") ? group : section)));
        }

        return new Quantisation(schemes, ModulePatterns.Read(section, "ignore", exact: true)) { QuantisesActivations = activations };
    }

    private static QuantisationScheme Scheme(ConfigSection weights, ConfigSection group, string format, ConfigSection formatOwner)
    {
        var type = weights.GetChoice("type", ["float", "int"], "int");
        var bits = weights.GetInt32("num_bits", 1, 64);
        if (bits != (type == "float" ? 8 : 4))
        {
            throw weights.Unsupported("num_bits", bits.ToString(CultureInfo.InvariantCulture), "4 of type int, 8 of type float");
        }

        var expected = type == "float" ? Fp8Format : "pack-quantized";
        if (format != expected && format != Mixed && !(type == "float" && format == EarlyFp8Format))
        {
            throw formatOwner.Unsupported("format", Excerpt.Of(format), expected);
        }

        if (weights.GetBoolean("dynamic", false))
        {
            throw weights.Unsupported("dynamic", "true", "false");
        }

        Quantisation.RefuseOthers(weights, "type", "num_bits", "symmetric", "strategy", "group_size", "block_structure", "dynamic", "actorder", "observer", "observer_kwargs", "scale_dtype", "zp_dtype");
        return type == "float" ? Fp8(weights) : Int4(weights, group);
    }

    private static QuantisationScheme Fp8(ConfigSection weights)
    {
        if (!weights.GetBoolean("symmetric", true))
        {
            throw weights.Unsupported("symmetric", "false", "true where type is float");
        }

        var scheme = new QuantisationScheme(QuantisedStorage.Fp8);
        switch (weights.GetChoice("strategy", ["tensor", "channel", "block"], "tensor"))
        {
            case "tensor":
                return scheme with { BlockRows = 0 };
            case "channel":
                return scheme;
            default:
                var block = weights.FindInt32Array("block_structure", 1, 1 << 20, maxLength: 2);
                return block is { Length: 2 } ? scheme with { BlockRows = block[0], GroupSize = block[1] } : throw weights.Invalid("block_structure", "must hold two numbers, outputs and inputs");
        }
    }

    private static QuantisationScheme Int4(ConfigSection weights, ConfigSection group)
    {
        var strategy = weights.GetChoice("strategy", ["group", "channel"], weights.Has("group_size") ? "group" : "channel");
        var order = weights.GetChoice("actorder", ["group", "dynamic", "weight", "static"], "weight");
        if (group.Section("input_activations") is { } inputs && inputs.FindInt32("num_bits", 1, 64) is { } bits && bits < 8)
        {
            throw inputs.Unsupported("num_bits", bits.ToString(CultureInfo.InvariantCulture), "8 and more");
        }

        return new QuantisationScheme(QuantisedStorage.PackedInt4)
        {
            GroupSize = strategy == "group" ? weights.GetInt32("group_size", 1, 1 << 20) : 0,
            ZeroPoints = !weights.GetBoolean("symmetric", true),
            Permuted = order is "group" or "dynamic",
        };
    }
}
