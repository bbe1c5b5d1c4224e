using System.Globalization;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>Fields that several methods write alike.</summary>
internal static class PackedFields
{
    public static void RequireFourBits(ConfigSection section, string field)
    {
        var bits = section.GetInt32(field, 1, 32);
        if (bits != 4)
        {
            throw section.Unsupported(field, bits.ToString(CultureInfo.InvariantCulture), "4");
        }
    }

    /// <summary>Inputs that share a scale; 0 where the config says -1, all.</summary>
    public static int GroupSize(ConfigSection section, string field = "group_size")
    {
        var size = section.GetInt32(field, -1, 1 << 20);
        return size switch { -1 => 0, 0 => throw section.Invalid(field, "must be -1 or above 0"), _ => size };
    }
}
