namespace KvPrefetch.Engine.Checkpoints;

/// <summary>Tensors that a quantised matrix is stored in.</summary>
internal enum QuantisedStorage
{
    /// <summary><c>weight</c> in F8_E4M3 and a tensor of scales.</summary>
    Fp8,

    /// <summary>Stacked experts: <c>_blocks</c> with 32 codes each and <c>_scales</c>.</summary>
    Mxfp4,

    /// <summary>compressed-tensors: <c>weight_packed</c>, <c>weight_scale</c>, <c>weight_shape</c>.</summary>
    PackedInt4,

    /// <summary><c>qweight</c>, <c>qzeros</c>, <c>scales</c>, <c>g_idx</c>.</summary>
    Gptq,

    /// <summary><c>qweight</c>, <c>qzeros</c>, <c>scales</c>, outputs of a word in an order of their own.</summary>
    Awq,
}

/// <summary>How one module's matrix is quantised.</summary>
/// <param name="Storage">The tensors.</param>
internal sealed record QuantisationScheme(QuantisedStorage Storage)
{
    /// <summary>Inputs that share a scale; 0: all of a row.</summary>
    public int GroupSize { get; init; }

    /// <summary>Outputs that share a scale; 0: all.</summary>
    public int BlockRows { get; init; } = 1;

    /// <summary>Zero points are stored.</summary>
    public bool ZeroPoints { get; init; }

    /// <summary>Added to stored zero points, modulo 16.</summary>
    public int ZeroOffset { get; init; }

    /// <summary>Groups are of columns in any order, so that the tensor which says which must be there.</summary>
    public bool Permuted { get; init; }

    /// <summary>Last part of the name of an FP8 matrix's scales.</summary>
    public string ScaleName { get; init; } = "weight_scale";
}

/// <summary><c>quantization_config</c>: which modules are quantised, and how. For one thread.</summary>
/// <param name="groups">Schemes and the modules each is for; the first that fits counts.</param>
/// <param name="plain">Modules that are stored as they are.</param>
internal sealed class Quantisation(IReadOnlyList<(ModulePatterns Modules, QuantisationScheme Scheme)> groups, ModulePatterns plain)
{
    private static readonly string[] Methods = ["fp8", "mxfp4", "compressed-tensors", "gptq", "awq"];

    /// <summary>Names of tensors with the range of quantised activations, which are not needed: activations stay in float32.</summary>
    public static IReadOnlyList<string> ActivationScales { get; } = [".activation_scale", ".input_scale"];

    /// <summary>True where the makers let activations be quantised too.</summary>
    public bool QuantisesActivations { get; init; }

    /// <summary>Reads the section; null for a model without one.</summary>
    /// <exception cref="UnsupportedModelException">A method or a value that is not honoured.</exception>
    /// <exception cref="ModelFormatException">A value that cannot be.</exception>
    public static Quantisation? Read(HfConfig config)
    {
        if (config.Quantization is not { } section)
        {
            return null;
        }

        return section.GetChoice("quant_method", Methods) switch
        {
            "fp8" => Fp8Config.Read(section),
            "mxfp4" => Mxfp4Config.Read(section),
            "gptq" => GptqConfig.Read(section),
            "awq" => AwqConfig.Read(section),
            _ => CompressedTensorsConfig.Read(section),
        };
    }

    /// <summary>How the module of this full name is quantised; null where its weight is plain.</summary>
    public QuantisationScheme? SchemeOf(string module)
    {
        if (!plain.Contains(module))
        {
            foreach (var (modules, scheme) in groups)
            {
                if (modules.Contains(module))
                {
                    return scheme;
                }
            }
        }

        return null;
    }

    /// <summary>One scheme for all modules but those that <paramref name="field"/> lists.</summary>
    public static Quantisation AllBut(ConfigSection section, string field, QuantisationScheme scheme, bool quantisesActivations = false) =>
        new([(ModulePatterns.All, scheme)], ModulePatterns.Read(section, field, exact: false)) { QuantisesActivations = quantisesActivations };

    /// <summary>Refuses every field with a value that is neither in <paramref name="known"/> nor empty: a quantisation that is not understood whole gives wrong weights.</summary>
    public static void RefuseOthers(ConfigSection section, params ReadOnlySpan<string> known)
    {
        foreach (var field in section.Fields)
        {
            if (!known.Contains(field) && !section.IsEmpty(field))
            {
                throw section.Unsupported(field, "given", "leaving it out");
            }
        }
    }
}
