using System.Buffers;
using System.Text;
using System.Text.Json;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Arguments that are put together member by member.</summary>
internal static class JsonWriting
{
    private static readonly JsonWriterOptions Options = new() { MaxDepth = 128 };

    public delegate bool Write(ref CallText text, Utf8JsonWriter json);

    /// <summary>JSON text of what is written; null where writing says no, or what it wrote is no text at all.</summary>
    public static string? Json(ref CallText text, Write write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer, Options);
        try
        {
            if (!write(ref text, json))
            {
                return null;
            }

            json.Flush();
            return Encoding.UTF8.GetString(buffer.WrittenSpan);
        }
        catch (ArgumentException)
        {
            return null; // half a surrogate pair, which an escape can spell
        }
    }
}
