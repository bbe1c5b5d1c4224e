using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using Microsoft.Win32.SafeHandles;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>A safetensors file, checked and mapped read-only. Opening reads the header and nothing of the data. Immutable; safe for concurrent use until disposed.
/// A tensor whose element type the format knows and this engine does not is listed, and refused when it is asked for.</summary>
internal sealed unsafe class SafetensorsFile : IDisposable
{
    private readonly SafetensorsHeader _header;
    private readonly SafeFileHandle _handle;
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _data;
    private readonly long _length;
    private readonly DateTime _written;
    private bool _disposed;

    private SafetensorsFile(string path, string name, SafeFileHandle handle, SafetensorsHeader header, long length, long dataStart)
    {
        (FullPath, FileName, _handle, _header, _length) = (Path.GetFullPath(path), name, handle, header, length);
        _written = File.GetLastWriteTimeUtc(handle);
        _map = MemoryMappedFile.CreateFromFile(handle, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        try
        {
            _view = _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            if (_view.Capacity < length)
            {
                throw Changed(_view.Capacity);
            }

            byte* start = null;
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            _data = start + _view.PointerOffset + dataStart;
        }
        catch
        {
            _view?.Dispose();
            _map.Dispose();
            throw;
        }
    }

    /// <summary>Name without its folder.</summary>
    public string FileName { get; }

    public string FullPath { get; }

    /// <summary>Path, length and time of last writing, as they were when the file was opened.</summary>
    public string Identity => FormattableString.Invariant($"{FullPath}|{_length}|{_written.Ticks}");

    /// <summary>All tensors, in the order of the header.</summary>
    public ReadOnlySpan<SafetensorsEntry> Entries => _header.Entries;

    /// <summary>Opens and checks a file. Throws <see cref="ModelFormatException"/>.</summary>
    /// <param name="path">Path without links, as <see cref="ModelFolder.PathOf"/> gives it.</param>
    /// <param name="name">What messages call the file; null takes the path's last part.</param>
    public static SafetensorsFile Open(string path, string? name = null)
    {
        name ??= Path.GetFileName(path);
        var handle = RegularFile.Open(path, name);
        try
        {
            var length = RandomAccess.GetLength(handle);
            var json = ReadHeader(handle, length, name);
            var dataStart = 8L + json.Length;
            var header = SafetensorsHeader.Parse(json, length - dataStart, name);
            return new SafetensorsFile(path, name, handle, header, length, dataStart);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            handle.Dispose();
            throw RegularFile.Unreadable(name, e);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Index of a tensor in <see cref="Entries"/>.</summary>
    public bool TryFind(string name, out int index) => _header.TryFind(name, out index);

    /// <summary>The tensor in memory. Throws <see cref="UnsupportedModelException"/> where its element type is one that this engine does not read.</summary>
    public TensorView View(int index)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ref readonly var entry = ref Entries[index];
        if (entry.Type.Type is not { } type)
        {
            throw new UnsupportedModelException($"{FileName}, tensor {Excerpt.Of(entry.Name)}: elements of type {entry.Type.Name} are not supported; supported: {SafetensorsTypes.Supported}.", entry.Name);
        }

        return new TensorView(entry.Name, type, entry.Shape, _data + entry.Begin, entry.ByteLength);
    }

    /// <summary>Throws <see cref="ModelFormatException"/> with code <c>FileChanged</c> when the file was cut, grown or rewritten since it was opened.</summary>
    public void RequireUnchanged()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        try
        {
            var length = RandomAccess.GetLength(_handle);
            if (length != _length || File.GetLastWriteTimeUtc(_handle) != _written)
            {
                throw Changed(length);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw RegularFile.Unreadable(FileName, e);
        }
    }

    /// <summary>Unmaps; every <see cref="TensorView"/> of this file becomes invalid.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _map.Dispose();
            _handle.Dispose();
        }
    }

    public override string ToString() => $"{FileName} ({Entries.Length} tensors)";

    /// <summary>The header's length is compared with the cap and with the file before anything is allocated for it.</summary>
    private static byte[] ReadHeader(SafeFileHandle handle, long length, string name)
    {
        if (length < 8)
        {
            throw new ModelFormatException("HeaderTooSmall", $"{name} has {length} bytes; a safetensors file begins with 8 bytes of header length.", name, offset: 0);
        }

        Span<byte> prefix = stackalloc byte[LookAlike.PrefixLength];
        prefix = prefix[..RandomAccess.Read(handle, prefix, 0)];
        if (prefix.Length < 8)
        {
            throw new ModelFormatException("FileChanged", $"{name} was cut while it was read.", name, offset: prefix.Length);
        }

        var declared = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if ((declared > (ulong)SafetensorsHeader.MaxBytes || declared > (ulong)(length - 8)) && LookAlike.Of(prefix) is { } what)
        {
            throw new ModelFormatException("NotSafetensors", $"{name} is not a safetensors file; it looks like {what}.", name, offset: 0);
        }

        if (declared > (ulong)SafetensorsHeader.MaxBytes)
        {
            throw new ModelFormatException("HeaderTooLarge", $"{name} declares a header of {declared} bytes; at most {SafetensorsHeader.MaxBytes} are allowed.", name, offset: 0);
        }

        if (declared > (ulong)(length - 8))
        {
            throw new ModelFormatException("InvalidHeaderLength", $"{name} declares a header of {declared} bytes, but only {length - 8} follow its length. Incomplete download?", name, offset: 0);
        }

        var json = GC.AllocateUninitializedArray<byte>((int)declared);
        var done = 0;
        while (done < json.Length)
        {
            var got = RandomAccess.Read(handle, json.AsSpan(done), 8 + done);
            if (got == 0)
            {
                throw new ModelFormatException("FileChanged", $"{name} was cut while it was read.", name, offset: 8 + done);
            }

            done += got;
        }

        return json;
    }

    private ModelFormatException Changed(long length) =>
        new("FileChanged", $"{FileName} was changed while it was open: it had {_length} bytes, now {length}.", FileName, offset: Math.Min(length, _length));
}
