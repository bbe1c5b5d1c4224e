namespace KvPrefetch.Engine.Checkpoints;

/// <summary>quant_method fp8 (DeepSeek, Qwen, MiniMax, Ministral): a scale for each block of a matrix, or one for all of it.</summary>
internal static class Fp8Config
{
    public static Quantisation Read(ConfigSection section)
    {
        _ = section.GetChoice("fmt", ["e4m3", "float8_e4m3fn"], "e4m3");
        _ = section.GetChoice("activation_scheme", ["dynamic", "static"], "dynamic");
        _ = section.GetChoice("scale_fmt", ["float", "ue8m0"], "float");    // how the numbers were chosen; they are stored as floats

        // Absent and null differ: the format's own default is blocks of 128.
        var block = section.FindInt32Array("weight_block_size", 1, 1 << 20, maxLength: 2) ?? (section.IsNull("weight_block_size") ? [0, 0] : [128, 128]);
        if (block.Length != 2)
        {
            throw section.Invalid("weight_block_size", "must hold two numbers, outputs and inputs");
        }

        Quantisation.RefuseOthers(section, "quant_method", "fmt", "activation_scheme", "scale_fmt", "weight_block_size", "modules_to_not_convert", "dequantize");
        var scheme = new QuantisationScheme(QuantisedStorage.Fp8) { BlockRows = block[0], GroupSize = block[1], ScaleName = "weight_scale_inv" };
        return Quantisation.AllBut(section, "modules_to_not_convert", scheme, quantisesActivations: true);
    }
}
