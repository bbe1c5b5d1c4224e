namespace KvPrefetch.Engine.Checkpoints;

/// <summary>quant_method mxfp4 (gpt-oss): experts in four-bit floats, 32 of them to a power of two.</summary>
internal static class Mxfp4Config
{
    public static Quantisation Read(ConfigSection section)
    {
        Quantisation.RefuseOthers(section, "quant_method", "modules_to_not_convert", "dequantize");
        return Quantisation.AllBut(section, "modules_to_not_convert", new QuantisationScheme(QuantisedStorage.Mxfp4) { GroupSize = 32 });
    }
}
