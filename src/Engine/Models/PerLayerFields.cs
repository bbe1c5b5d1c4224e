using System.Globalization;
using KvPrefetch.Engine.Checkpoints;

namespace KvPrefetch.Engine.Models;

/// <summary>The field <c>per_layer_config</c>: for some layers, by number, fields that they have instead of the model's.</summary>
internal static class PerLayerFields
{
    /// <summary>The fields of layer <paramref name="layer"/>, or null where it has none of its own.</summary>
    /// <param name="section"><c>per_layer_config</c>, or null.</param>
    /// <param name="layer">The layer.</param>
    /// <param name="known">Fields that the family reads; another one is refused.</param>
    public static ConfigSection? Find(ConfigSection? section, int layer, params string[] known)
    {
        // Numbers may have zeros before them.
        var key = section?.Fields.FirstOrDefault(f => int.TryParse(f, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number == layer);
        var own = key is null ? null : section!.GetSection(key);
        return own?.Fields.FirstOrDefault(f => !known.Contains(f, StringComparer.Ordinal)) is { } other
            ? throw own.Unsupported(other, "given", string.Join(", ", known))
            : own;
    }

    /// <summary>Refuses a key that is no layer.</summary>
    public static void Check(ConfigSection? section, int layers)
    {
        if (section?.Fields.FirstOrDefault(f => !int.TryParse(f, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number >= layers) is { } other)
        {
            throw section.Unsupported(other, "given", $"layers 0 to {layers - 1}");
        }
    }
}
