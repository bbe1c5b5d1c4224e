using System.Text.Json;
using System.Text.Unicode;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>One tensor as a header describes it; everything about it has been checked.</summary>
/// <param name="Name">Opaque: may contain anything JSON can spell.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Dimensions, outermost first; empty for a scalar. Shared between entries: never write to it.</param>
/// <param name="Begin">First byte, counted from the end of the header.</param>
/// <param name="End">One past the last byte.</param>
internal readonly record struct SafetensorsEntry(string Name, SafetensorsType Type, long[] Shape, long Begin, long End)
{
    public long ByteLength => End - Begin;
}

/// <summary>The header of a safetensors file, parsed straight into an array. Stricter than the reference in one thing: a name may stand only once.
/// White space before and after the object is accepted as the reference accepts it, a byte order mark is not.</summary>
internal sealed class SafetensorsHeader
{
    /// <summary>Longest header that is read, as in the reference implementation.</summary>
    public const long MaxBytes = 100_000_000;

    /// <summary>Most dimensions of a tensor.</summary>
    public const int MaxRank = 8;

    private readonly SafetensorsEntry[] _entries;
    private readonly Dictionary<string, int> _byName;

    private SafetensorsHeader(SafetensorsEntry[] entries, Dictionary<string, int> byName) => (_entries, _byName) = (entries, byName);

    /// <summary>All tensors, in the order of the header.</summary>
    public ReadOnlySpan<SafetensorsEntry> Entries => _entries;

    /// <summary>Parses and checks a header. Throws <see cref="ModelFormatException"/>.</summary>
    /// <param name="json">The header's bytes, without the eight of its length.</param>
    /// <param name="dataBytes">Bytes that follow the header in the file.</param>
    /// <param name="file">Name for messages.</param>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json, long dataBytes, string file)
    {
        if (!Utf8.IsValid(json))
        {
            throw new ModelFormatException("HeaderNotUtf8", $"The header of {file} is not valid UTF-8.", file, offset: 8);
        }

        if (json.StartsWith("\uFEFF"u8))
        {
            throw new ModelFormatException("HeaderNotJson", $"The header of {file} begins with a byte order mark; it must begin with '{{'.", file, offset: 8);
        }

        var parser = new SafetensorsHeaderParser(json, file);
        SafetensorsEntry[] entries;
        try
        {
            entries = parser.ReadAll();
        }
        catch (JsonException e)
        {
            var at = 8 + parser.Position;
            throw new ModelFormatException("HeaderNotJson", $"The header of {file} is not JSON near byte {at}.", file, offset: at, inner: e);
        }

        var byName = new Dictionary<string, int>(entries.Length, StringComparer.Ordinal);
        for (var i = 0; i < entries.Length; i++)
        {
            if (!byName.TryAdd(entries[i].Name, i))
            {
                throw new ModelFormatException("DuplicateTensor", $"{file} describes the tensor {Excerpt.Of(entries[i].Name)} twice.", file, entries[i].Name);
            }
        }

        RequireSeamless(entries, 8 + json.Length, dataBytes, file);
        return new SafetensorsHeader(entries, byName);
    }

    /// <summary>Index of a tensor in <see cref="Entries"/>.</summary>
    public bool TryFind(string name, out int index) => _byName.TryGetValue(name, out index);

    /// <summary>Sorted by offset, the tensors must cover the data from its first byte to its last, each byte once.</summary>
    private static void RequireSeamless(SafetensorsEntry[] entries, long dataStart, long dataBytes, string file)
    {
        var order = InOrder(entries) ? null : Sorted(entries);
        var end = 0L;
        for (var i = 0; i < entries.Length; i++)
        {
            ref readonly var entry = ref entries[order is null ? i : order[i]];
            if (entry.Begin != end)
            {
                throw new ModelFormatException("InvalidOffset",
                    $"{file}: the tensor {Excerpt.Of(entry.Name)} begins at byte {entry.Begin} of the data, but {end} bytes are taken before it: {(entry.Begin < end ? "tensors overlap" : "a hole")}.",
                    file, entry.Name, dataStart + entry.Begin);
            }

            end = entry.End;
        }

        if (end > dataBytes)
        {
            throw new ModelFormatException("IncompleteBuffer", $"{file} is truncated: expected {dataStart + end} bytes, have {dataStart + dataBytes}. Incomplete download?", file, offset: dataStart + dataBytes);
        }

        if (end < dataBytes)
        {
            throw new ModelFormatException("IncompleteBuffer", $"{file} has trailing bytes: expected {dataStart + end} bytes, have {dataStart + dataBytes} (trailing={dataBytes - end}).", file, offset: dataStart + end);
        }
    }

    private static bool InOrder(SafetensorsEntry[] entries)
    {
        for (var i = 1; i < entries.Length; i++)
        {
            if (Compare(in entries[i - 1], in entries[i]) > 0)
            {
                return false;
            }
        }

        return true;
    }

    private static int[] Sorted(SafetensorsEntry[] entries)
    {
        var order = new int[entries.Length];
        for (var i = 0; i < order.Length; i++)
        {
            order[i] = i;
        }

        Array.Sort(order, (a, b) => Compare(in entries[a], in entries[b]));
        return order;
    }

    private static int Compare(in SafetensorsEntry a, in SafetensorsEntry b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End);
}
