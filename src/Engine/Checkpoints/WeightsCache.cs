using System.IO.MemoryMappedFiles;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>Quantised weights of one checkpoint in one form, in a file of a folder that the user names. The file says for which bytes it is: paths, lengths and times of the checkpoint's files and the layout's version.
/// A file for other ones, of another length or with a checksum that does not fit is not used but replaced. Written beside and renamed, so that no process ever sees half of one.
/// <para>Layout, little-endian: magic, SHA-256 of the identity, SHA-256 of the table, table's length, table; then each entry's bytes at a multiple of 4096.
/// The table: number of entries, then for each name, bytes, offset, checksum.</para></summary>
internal sealed unsafe class WeightsCache : IDisposable
{
    private const int Align = 4096, HeaderBytes = 8 + 32 + 32 + 8, MaxTable = 64 << 20;
    private static readonly byte[] Magic = "KVPWGT01"u8.ToArray();

    private readonly string _path;
    private readonly byte[] _identity;
    private readonly Action<string>? _log;
    private MemoryMappedFile? _map;
    private MemoryMappedViewAccessor? _view;
    private (string Name, long Bytes, nint Address)[] _entries = [];
    private int _next;

    private WeightsCache(string path, byte[] identity, Action<string>? log) => (_path, _identity, _log) = (path, identity, log);

    /// <summary>True where the file is there and whole: <see cref="Next"/> gives its weights.</summary>
    public bool IsFilled { get; private set; }

    /// <summary>The cache of a checkpoint in a folder. What goes wrong with its file, a folder that cannot be written included, is logged in one sentence and never in the way.</summary>
    /// <param name="folder">Made when something is written.</param>
    /// <param name="checkpoint">Whose weights.</param>
    /// <param name="form">What they become, and the version of that.</param>
    /// <param name="log">Receives a sentence.</param>
    public static WeightsCache Open(string folder, Checkpoint checkpoint, string form, Action<string>? log)
    {
        var identity = SHA256.HashData(Encoding.UTF8.GetBytes(form + "\n" + checkpoint.Identity));
        var place = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(form + "\n" + string.Join('\n', checkpoint.Paths))))[..24];
        var cache = new WeightsCache(Path.Combine(folder, place + ".weights"), identity, log);
        try
        {
            cache.IsFilled = File.Exists(cache._path) && cache.Map();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            log?.Invoke($"The cache of quantised weights {Excerpt.Of(cache._path)} cannot be read ({e.GetType().Name}).");
        }

        if (!cache.IsFilled)
        {
            cache.Unmap();
        }

        return cache;
    }

    /// <summary>Address of the next weights; they are asked for in the order in which they were written.</summary>
    /// <exception cref="ModelFormatException">They are others: the same folder is read in another way than when the cache was written.</exception>
    public nint Next(string name, long bytes)
    {
        if (_next >= _entries.Length || _entries[_next].Name != name || _entries[_next].Bytes != bytes)
        {
            throw new ModelFormatException("CacheMismatch", $"{Path.GetFileName(_path)}: entry {_next} is not {Excerpt.Of(name)} of {bytes} bytes; delete the file.", Path.GetFileName(_path));
        }

        return _entries[_next++].Address;
    }

    /// <summary>Writes the file; when that fails, a sentence is logged and nothing is left behind.</summary>
    public void Write(IReadOnlyList<(string Name, nint Address, long Bytes)> entries)
    {
        string? temporary = null;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
            temporary = _path + "." + Guid.NewGuid().ToString("N") + ".tmp";
            var checksums = new ulong[entries.Count];
            Parallel.For(0, entries.Count, i => checksums[i] = Checksum(entries[i].Address, entries[i].Bytes));
            var table = Table(entries, checksums, 0);
            table = Table(entries, checksums, Aligned(HeaderBytes + table.Length));
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16))
            {
                stream.Write(Magic);
                stream.Write(_identity);
                stream.Write(SHA256.HashData(table));
                stream.Write(BitConverter.GetBytes((long)table.Length));
                stream.Write(table);
                foreach (var (_, address, bytes) in entries)
                {
                    stream.Position = Aligned(stream.Position);
                    for (long done = 0; done < bytes; done += 1 << 24)
                    {
                        stream.Write(new ReadOnlySpan<byte>((byte*)address + done, (int)Math.Min(1 << 24, bytes - done)));
                    }
                }

                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, _path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            _log?.Invoke($"Quantised weights cannot be kept in {Excerpt.Of(_path)} ({e.GetType().Name}).");
            Delete(temporary);
        }
    }

    /// <summary>Unmaps; every address becomes invalid.</summary>
    public void Dispose() => Unmap();

    private bool Map()
    {
        using (var handle = RegularFile.Open(_path, Path.GetFileName(_path)))
        {
            var length = RandomAccess.GetLength(handle);
            if (length < HeaderBytes)
            {
                return Refused("is cut");
            }

            _map = MemoryMappedFile.CreateFromFile(_path, FileMode.Open, mapName: null, capacity: 0, MemoryMappedFileAccess.Read);
            _view = _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            var start = (byte*)_view.SafeMemoryMappedViewHandle.DangerousGetHandle();
            if (_view.Capacity < length)
            {
                return Refused("is cut");
            }

            var header = new ReadOnlySpan<byte>(start, HeaderBytes);
            var tableBytes = BitConverter.ToInt64(header[72..]);
            if (!header[..8].SequenceEqual(Magic) || !header[8..40].SequenceEqual(_identity))
            {
                return Refused("is for other weights");
            }

            if (tableBytes is < 4 or > MaxTable || tableBytes > length - HeaderBytes)
            {
                return Refused("is damaged");
            }

            var table = new ReadOnlySpan<byte>(start + HeaderBytes, (int)tableBytes).ToArray();
            return header[40..72].SequenceEqual(SHA256.HashData(table)) && Read(table, start, length) ? true : Refused("is damaged");
        }
    }

    /// <summary>Reads the table, which is as it was written, and compares every checksum; false where one does not fit.</summary>
    private bool Read(byte[] table, byte* start, long length)
    {
        using var reader = new BinaryReader(new MemoryStream(table), Encoding.UTF8);
        var entries = new (string Name, long Bytes, nint Address)[reader.ReadInt32()];
        var checksums = new ulong[entries.Length];
        for (var i = 0; i < entries.Length; i++)
        {
            var name = reader.ReadString();
            long bytes = reader.ReadInt64(), offset = reader.ReadInt64();
            checksums[i] = reader.ReadUInt64();
            if (offset > length - bytes)
            {
                return false;
            }

            entries[i] = (name, bytes, (nint)(start + offset));
        }

        _entries = entries;
        return Parallel.For(0, entries.Length, (i, state) =>
        {
            if (Checksum(entries[i].Address, entries[i].Bytes) != checksums[i])
            {
                state.Stop();
            }
        }).IsCompleted;
    }

    private bool Refused(string why)
    {
        _log?.Invoke($"The cache of quantised weights {Excerpt.Of(Path.GetFileName(_path))} {why}; it is made anew.");
        return false;
    }

    private void Unmap()
    {
        _view?.Dispose();
        _map?.Dispose();
        (_view, _map) = (null, null);
    }

    private static byte[] Table(IReadOnlyList<(string Name, nint Address, long Bytes)> entries, ulong[] checksums, long offset)
    {
        var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(entries.Count);
        for (var i = 0; i < entries.Count; i++)
        {
            writer.Write(entries[i].Name);
            writer.Write(entries[i].Bytes);
            writer.Write(offset);
            writer.Write(checksums[i]);
            offset = Aligned(offset + entries[i].Bytes);
        }

        writer.Flush();
        return stream.ToArray();
    }

    private static long Aligned(long offset) => (offset + Align - 1) & -Align;

    /// <summary>Two CRC-32C over the odd and the even words of 8 bytes: for damage, not for malice. <paramref name="bytes"/> is a multiple of 64.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static ulong Checksum(nint address, long bytes)
    {
        var words = (ulong*)address;
        uint a = 0, b = 0, c = 0, d = 0;
        for (long i = 0; i < bytes / sizeof(ulong); i += 4)
        {
            a = BitOperations.Crc32C(a, words[i]);
            b = BitOperations.Crc32C(b, words[i + 1]);
            c = BitOperations.Crc32C(c, words[i + 2]);
            d = BitOperations.Crc32C(d, words[i + 3]);
        }

        return ((ulong)BitOperations.Crc32C(a, c) << 32) | BitOperations.Crc32C(b, d);
    }

    private static void Delete(string? path)
    {
        try
        {
            if (path is not null)
            {
                File.Delete(path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It was ours alone, and there is nobody left to tell.
        }
    }
}
