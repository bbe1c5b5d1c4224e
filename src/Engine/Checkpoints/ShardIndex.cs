using System.Text.Json;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>model.safetensors.index.json: which file holds which tensor.</summary>
internal sealed class ShardIndex
{
    public const string FileName = "model.safetensors.index.json";
    private const long MaxBytes = SafetensorsHeader.MaxBytes;

    private ShardIndex(IReadOnlyDictionary<string, string> files, IReadOnlyList<string> shards, long? totalBytes) => (Files, Shards, TotalBytes) = (files, shards, totalBytes);

    /// <summary>File of each tensor.</summary>
    public IReadOnlyDictionary<string, string> Files { get; }

    /// <summary>Each file once, sorted.</summary>
    public IReadOnlyList<string> Shards { get; }

    /// <summary>metadata.total_size, where it is a whole number.</summary>
    public long? TotalBytes { get; }

    /// <summary>Reads the folder's index; null where it has none. Throws <see cref="ModelFormatException"/>.</summary>
    public static ShardIndex? Load(ModelFolder folder) => folder.ReadBytes(FileName, MaxBytes) is { } bytes ? Parse(bytes) : null;

    /// <summary>Reads the text of an index. Every file name in it is a plain name ending in <c>.safetensors</c>, else <c>PathEscape</c> or <see cref="UnsupportedModelException"/>.</summary>
    public static ShardIndex Parse(ReadOnlySpan<byte> bytes)
    {
        var root = JsonFile.Parse(bytes, FileName);
        if (!root.TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object)
        {
            throw new ModelFormatException("MissingField", $"{FileName}: the object 'weight_map' is missing.", FileName, "weight_map");
        }

        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        var shards = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var property in map.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.String)
            {
                throw new ModelFormatException("InvalidField", $"{FileName}: the file of {Excerpt.Of(property.Name)} is {Excerpt.Of(property.Value.GetRawText())}, not a string.", FileName, property.Name);
            }

            var file = property.Value.GetString()!;
            if (!shards.TryGetValue(file, out var shared))
            {
                RequireSafe(file);
                shards.Add(file, shared = file);
            }

            files.Add(property.Name, shared);
        }

        return new ShardIndex(files, [.. shards.Keys], TotalSize(root));
    }

    private static void RequireSafe(string file)
    {
        Checkpoints.FileNames.Require(file, FileName);
        if (!file.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
        {
            throw new UnsupportedModelException($"{FileName} names {Excerpt.Of(file)}; only .safetensors files are read, pickle is never loaded.", "weight_map");
        }
    }

    private static long? TotalSize(JsonElement root) => root.TryGetProperty("metadata", out var metadata) && metadata.ValueKind == JsonValueKind.Object
        && metadata.TryGetProperty("total_size", out var size) && size.ValueKind == JsonValueKind.Number && size.TryGetInt64(out var bytes) ? bytes : null;
}
