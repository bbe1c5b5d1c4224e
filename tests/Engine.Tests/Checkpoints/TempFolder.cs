using System.Buffers.Binary;
using System.Text;

namespace KvPrefetch.Tests.Checkpoints;

/// <summary>A folder that goes away with the test.</summary>
internal sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("kvp-checkpoints-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public string Write(string name, ReadOnlySpan<byte> bytes)
    {
        var path = File(name);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        System.IO.File.WriteAllBytes(path, bytes);
        return path;
    }

    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    /// <summary>A valid file of bfloat16 tensors whose data takes no room on the disk.</summary>
    public void WriteSparse(string name, params (string Name, long[] Shape)[] tensors)
    {
        var (header, length) = Bytes.Header("BF16", 2, tensors);
        var path = Write(name, Bytes.File(header));
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Write);
        stream.SetLength(8 + Encoding.UTF8.GetByteCount(header) + length);
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>Bytes of safetensors files, valid or not.</summary>
internal static class Bytes
{
    /// <summary>Header length, header, zeros as data.</summary>
    public static byte[] File(string header, int dataBytes = 0) => File(Encoding.UTF8.GetBytes(header), new byte[dataBytes]);

    public static byte[] File(ReadOnlySpan<byte> header, ReadOnlySpan<byte> data) => File((ulong)header.Length, header, data);

    /// <summary>With a header length of one's own.</summary>
    public static byte[] File(ulong declared, ReadOnlySpan<byte> header, ReadOnlySpan<byte> data = default)
    {
        var file = new byte[8 + header.Length + data.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(file, declared);
        header.CopyTo(file.AsSpan(8));
        data.CopyTo(file.AsSpan(8 + header.Length));
        return file;
    }

    /// <summary>A valid file of float32 tensors, one after the other.</summary>
    public static byte[] Tensors(params (string Name, long[] Shape)[] tensors) => Tensors("F32", 4, tensors);

    public static byte[] Tensors(string dtype, int size, params (string Name, long[] Shape)[] tensors)
    {
        var (header, length) = Header(dtype, size, tensors);
        return File(header, checked((int)length));
    }

    public static (string Json, long Length) Header(string dtype, int size, params (string Name, long[] Shape)[] tensors)
    {
        var json = new StringBuilder("{\"__metadata__\":{\"format\":\"pt\"}");
        var offset = 0L;
        foreach (var (name, shape) in tensors)
        {
            var end = offset + (shape.Aggregate(1L, (a, b) => a * b) * size);
            json.Append(",\"").Append(name).Append("\":{\"dtype\":\"").Append(dtype).Append("\",\"shape\":[").AppendJoin(',', shape).Append("],\"data_offsets\":[").Append(offset).Append(',').Append(end).Append("]}");
            offset = end;
        }

        return (json.Append('}').ToString(), offset);
    }
}
