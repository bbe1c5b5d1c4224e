using System.Runtime.CompilerServices;
using System.Text.Json;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>One pass over the JSON of a safetensors header. Every entry is checked by itself here; how entries lie beside each other is the caller's matter.
/// A model is opened once in a process, before the compiler finds the time to optimise: the loops ask for it at once, and the collections are those that the runtime brings compiled.</summary>
internal ref struct SafetensorsHeaderParser
{
    /// <summary>Offsets from here on cannot be told apart by programs that read numbers as doubles; no file is that long.</summary>
    private const ulong OffsetLimit = 1UL << 53;

    private readonly string _file;
    private readonly ShapeCache _shapes = new();
    private Utf8JsonReader _reader;

    public SafetensorsHeaderParser(ReadOnlySpan<byte> json, string file)
    {
        _file = file;
        _reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 64, CommentHandling = JsonCommentHandling.Disallow });
    }

    /// <summary>Bytes of the header that were read.</summary>
    public readonly long Position => _reader.BytesConsumed;

    /// <summary>Reads the whole header; a <see cref="JsonException"/> comes out where it is not JSON.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public SafetensorsEntry[] ReadAll()
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartObject)
        {
            throw Error("HeaderNotObject", "the header is not a JSON object", null);
        }

        var entries = new SafetensorsEntry[64];
        var count = 0;
        var hasMetadata = false;
        while (NextProperty())
        {
            if (!_reader.ValueTextEquals("__metadata__"u8))
            {
                if (count == entries.Length)
                {
                    Array.Resize(ref entries, 2 * count);
                }

                entries[count++] = ReadEntry(Text());
                continue;
            }

            if (hasMetadata)
            {
                throw Error("MetadataInvalid", "__metadata__ stands twice", null);
            }

            hasMetadata = true;
            SkipMetadata();
        }

        _reader.Read(); // nothing but white space may follow: anything else throws
        Array.Resize(ref entries, count);
        return entries;
    }

    /// <summary>A map of strings; the engine has no use for it.</summary>
    private void SkipMetadata()
    {
        _reader.Read();
        if (_reader.TokenType == JsonTokenType.Null)
        {
            return;
        }

        if (_reader.TokenType != JsonTokenType.StartObject)
        {
            throw Error("MetadataInvalid", "__metadata__ is not an object", null);
        }

        while (NextProperty())
        {
            _reader.Read();
            if (_reader.TokenType != JsonTokenType.String)
            {
                throw Error("MetadataInvalid", "__metadata__ holds a value that is not a string", null);
            }

            RequireText();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private SafetensorsEntry ReadEntry(string name)
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartObject)
        {
            throw Error("InvalidEntry", "it is not described by an object", name);
        }

        SafetensorsType? type = null;
        long[]? shape = null;
        (long Begin, long End)? offsets = null;
        while (NextProperty())
        {
            if (_reader.ValueTextEquals("dtype"u8))
            {
                RequireFirst(type is null, "dtype", name);
                type = ReadType(name);
            }
            else if (_reader.ValueTextEquals("shape"u8))
            {
                RequireFirst(shape is null, "shape", name);
                shape = ReadShape(name);
            }
            else if (_reader.ValueTextEquals("data_offsets"u8))
            {
                RequireFirst(offsets is null, "data_offsets", name);
                offsets = ReadOffsets(name);
            }
            else
            {
                _reader.Skip(); // the reference ignores further fields
            }
        }

        if (type is null || shape is null || offsets is null)
        {
            throw Error("MissingField", $"it has no {(type is null ? "dtype" : shape is null ? "shape" : "data_offsets")}", name);
        }

        var (begin, end) = offsets.Value;
        RequireSize(name, type, shape, end - begin);
        return new SafetensorsEntry(name, type, shape, begin, end);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private SafetensorsType ReadType(string name)
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.String)
        {
            throw Error("UnknownDtype", $"its dtype is {Kind()}, not a string", name);
        }

        RequireText();
        return SafetensorsTypes.Find(ref _reader) ?? throw Error("UnknownDtype", $"its dtype {Excerpt.Of(Text())} is not one of the format's", name);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private long[] ReadShape(string name)
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartArray)
        {
            throw Error("InvalidShape", $"its shape is {Kind()}, not an array", name);
        }

        Span<long> dimensions = stackalloc long[SafetensorsHeader.MaxRank];
        var rank = 0;
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            if (rank == SafetensorsHeader.MaxRank)
            {
                throw Error("RankTooLarge", $"it has more than {SafetensorsHeader.MaxRank} dimensions", name);
            }

            if (_reader.TokenType != JsonTokenType.Number || !_reader.TryGetUInt64(out var dimension))
            {
                throw Error("InvalidShape", $"dimension {rank} of its shape is not an unsigned 64-bit integer", name);
            }

            if (dimension > long.MaxValue)
            {
                throw Error("Overflow", $"dimension {rank} of its shape is {dimension}", name);
            }

            dimensions[rank++] = (long)dimension;
        }

        return _shapes.Get(dimensions[..rank]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private (long Begin, long End) ReadOffsets(string name)
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.StartArray)
        {
            throw Error("InvalidOffset", $"its data_offsets are {Kind()}, not an array", name);
        }

        var begin = ReadOffset(name);
        var end = ReadOffset(name);
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.EndArray)
        {
            throw Error("InvalidOffset", "its data_offsets are not two numbers", name);
        }

        return begin <= end ? (begin, end) : throw Error("InvalidOffset", $"it begins at byte {begin} of the data and ends at {end}", name);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private long ReadOffset(string name)
    {
        _reader.Read();
        if (_reader.TokenType != JsonTokenType.Number || !_reader.TryGetUInt64(out var offset))
        {
            throw Error("InvalidOffset", "its data_offsets are not two unsigned 64-bit integers", name);
        }

        return offset < OffsetLimit ? (long)offset : throw Error("InvalidOffset", $"its offset {offset} is not below 2^53", name);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void RequireSize(string name, SafetensorsType type, long[] shape, long actual)
    {
        long count = 1;
        try
        {
            foreach (var dimension in shape)
            {
                count = checked(count * dimension);
            }
        }
        catch (OverflowException)
        {
            throw Error("Overflow", "the product of its dimensions is above 2^63", name);
        }

        var bits = (UInt128)(ulong)count * (uint)type.Bits;
        if (bits % 8 != 0)
        {
            throw Error("Misaligned", $"its {count} elements of {type.Bits} bits do not fill whole bytes", name);
        }

        var expected = bits / 8;
        if (expected > long.MaxValue)
        {
            throw Error("Overflow", "its size in bytes is above 2^63", name);
        }

        if (expected != (ulong)actual)
        {
            throw Error("SizeMismatch", $"dtype {type.Name} and shape [{string.Join(", ", shape)}] make {expected} bytes, its data_offsets {actual}", name);
        }
    }

    private readonly void RequireFirst(bool first, string field, string name)
    {
        if (!first)
        {
            throw Error("DuplicateField", $"its {field} stands twice", name);
        }
    }

    private readonly string Kind() => _reader.TokenType switch
    {
        JsonTokenType.Null => "null",
        JsonTokenType.Number => "a number",
        JsonTokenType.String => "a string",
        JsonTokenType.True or JsonTokenType.False => "a boolean",
        JsonTokenType.StartObject => "an object",
        _ => "an array",
    };

    private bool NextProperty()
    {
        if (!_reader.Read() || _reader.TokenType != JsonTokenType.PropertyName)
        {
            return false;
        }

        RequireText();
        return true;
    }

    /// <summary>A string may spell half a surrogate pair, which no later comparison could take.</summary>
    private readonly void RequireText()
    {
        if (_reader.ValueIsEscaped)
        {
            _ = Text();
        }
    }

    private readonly string Text()
    {
        try
        {
            return _reader.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException("half a surrogate pair", e); // valid JSON, but no text
        }
    }

    private readonly ModelFormatException Error(string code, string what, string? tensor)
    {
        var at = 8 + _reader.TokenStartIndex;
        return new ModelFormatException(code, tensor is null ? $"{_file}: {what} (byte {at})." : $"{_file}, tensor {Excerpt.Of(tensor)}: {what} (byte {at}).", _file, tensor, at);
    }
}

/// <summary>A model has thousands of tensors and a dozen shapes: equal shapes share one array.</summary>
internal sealed class ShapeCache
{
    private readonly long[]?[] _slots = new long[]?[64];

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public long[] Get(ReadOnlySpan<long> shape)
    {
        var hash = (uint)shape.Length;
        foreach (var dimension in shape)
        {
            hash = (hash ^ (uint)dimension) * 0x9E3779B1;
        }

        ref var slot = ref _slots[hash >> 26];
        if (slot is null || !shape.SequenceEqual(slot))
        {
            slot = shape.ToArray();
        }

        return slot;
    }
}
