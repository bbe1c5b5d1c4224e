using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Unicode;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>model.safetensors.index.json: which file holds which tensor.</summary>
internal sealed class ShardIndex
{
    public const string FileName = "model.safetensors.index.json";
    private const long MaxBytes = SafetensorsHeader.MaxBytes;
    private const int MaxShards = 10_000;

    private readonly Dictionary<string, string> _files = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _shards = new(StringComparer.Ordinal);

    private ShardIndex()
    {
    }

    /// <summary>File of each tensor.</summary>
    public Dictionary<string, string> Files => _files;

    /// <summary>Each file once, sorted.</summary>
    public IReadOnlyList<string> Shards => [.. _shards];

    /// <summary>metadata.total_size, where it is a whole number.</summary>
    public long? TotalBytes { get; private set; }

    /// <summary>Reads the folder's index; null where it has none. Throws <see cref="ModelFormatException"/>.</summary>
    public static ShardIndex? Load(ModelFolder folder) => folder.ReadBytes(FileName, MaxBytes) is { } bytes ? Parse(bytes) : null;

    /// <summary>Reads the text of an index. Every file name in it is a plain name ending in <c>.safetensors</c>, else <c>PathEscape</c> or <see cref="UnsupportedModelException"/>.</summary>
    public static ShardIndex Parse(ReadOnlySpan<byte> bytes)
    {
        var text = ModelFolder.WithoutMark(bytes);
        if (!Utf8.IsValid(text))
        {
            throw new ModelFormatException("NotUtf8", $"{FileName} is not UTF-8.", FileName);
        }

        var reader = new Utf8JsonReader(text, new JsonReaderOptions { MaxDepth = 64 });
        var index = new ShardIndex();
        try
        {
            index.ReadRoot(ref reader);
            return index;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string that holds half a surrogate pair.
            throw new ModelFormatException("NotJson", $"{FileName} is not JSON near byte {reader.BytesConsumed}.", FileName, offset: reader.BytesConsumed, inner: e);
        }
    }

    private void ReadRoot(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new ModelFormatException("NotObject", $"{FileName} is not a JSON object.", FileName);
        }

        var hasMap = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("weight_map"u8))
            {
                if (hasMap)
                {
                    throw Duplicate("weight_map");
                }

                hasMap = true;
                ReadMap(ref reader);
            }
            else if (reader.ValueTextEquals("metadata"u8))
            {
                ReadMetadata(ref reader);
            }
            else
            {
                reader.Skip();
            }
        }

        reader.Read(); // nothing but white space may follow
        if (!hasMap)
        {
            throw NoMap();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ReadMap(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw NoMap();
        }

        var file = "";
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var tensor = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
            {
                throw new ModelFormatException("InvalidField", $"{FileName}: the file of {Excerpt.Of(tensor)} is not a string (byte {reader.TokenStartIndex}).", FileName, tensor, reader.TokenStartIndex);
            }

            if (!reader.ValueTextEquals(file) || file.Length == 0)
            {
                file = Share(reader.GetString()!);
            }

            if (!_files.TryAdd(tensor, file))
            {
                throw Duplicate(tensor);
            }
        }
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isTotal = reader.ValueTextEquals("total_size"u8);
            reader.Read();
            if (isTotal && reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var bytes))
            {
                TotalBytes = bytes;
            }

            reader.Skip();
        }
    }

    /// <summary>One string per file, judged when it is first seen.</summary>
    private string Share(string file)
    {
        if (_shards.TryGetValue(file, out var known))
        {
            return known;
        }

        FileNames.Require(file, FileName);
        if (!file.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
        {
            throw new UnsupportedModelException($"{FileName} names {Excerpt.Of(file)}; only .safetensors files are read, pickle is never loaded.", "weight_map");
        }

        if (_shards.Count == MaxShards)
        {
            throw new ModelFormatException("OutOfRange", $"{FileName} names more than {MaxShards} files.", FileName, "weight_map");
        }

        _shards.Add(file);
        return file;
    }

    private static ModelFormatException NoMap() => new("MissingField", $"{FileName}: the object 'weight_map' is missing.", FileName, "weight_map");

    private static ModelFormatException Duplicate(string name) => new("DuplicateField", $"{FileName} has the field {Excerpt.Of(name)} twice.", FileName, name);
}
