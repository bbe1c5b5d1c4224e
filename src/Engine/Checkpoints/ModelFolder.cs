using System.Text;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>A model folder: the only door through which files of a model are reached. Names are judged by <see cref="FileNames"/>, links must stay inside the folder
/// (or, where the folder is a snapshot of the Hugging Face cache, inside that repository's <c>blobs</c>), and only regular files are opened.</summary>
internal sealed class ModelFolder
{
    private readonly string _root;
    private readonly string? _blobs;

    /// <summary>Throws <see cref="ModelFormatException"/> with code <c>FolderNotFound</c> or <c>NotAFolder</c>.</summary>
    public ModelFolder(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        try
        {
            var full = path.Contains('\0', StringComparison.Ordinal) || path.Length == 0 ? null : Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
            if (full is null || !Directory.Exists(full))
            {
                throw File.Exists(full)
                    ? new ModelFormatException("NotAFolder", $"The model path {Excerpt.Of(path)} is a file; give the folder that holds config.json and the safetensors files.")
                    : new ModelFormatException("FolderNotFound", $"There is no model folder {Excerpt.Of(path)}.");
            }

            _root = RealPath.Resolve(full) ?? throw new ModelFormatException("FolderNotFound", $"The model path {Excerpt.Of(path)} is a circle of links.");
            (Name, _blobs) = Describe(full, _root);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new ModelFormatException("FolderNotFound", $"The model folder {Excerpt.Of(path)} cannot be opened.", inner: e);
        }
    }

    /// <summary>Last part of the path; for a snapshot of the Hugging Face cache the repository's own name, such as <c>HuggingFaceTB/SmolLM2-135M-Instruct</c>.</summary>
    public string Name { get; }

    /// <summary>Names of the files directly inside, sorted.</summary>
    public IReadOnlyList<string> FileNames()
    {
        try
        {
            var names = Directory.EnumerateFileSystemEntries(_root).Select(p => Path.GetFileName(p)).ToList();
            names.Sort(StringComparer.Ordinal);
            return names;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw RegularFile.Unreadable(Name, e);
        }
    }

    /// <summary>Path of a regular file, links followed; null when there is none of this name.
    /// Throws <see cref="ModelFormatException"/> with code <c>PathEscape</c>, <c>NotRegularFile</c> or <c>Unreadable</c>.</summary>
    /// <param name="fileName">A plain name.</param>
    /// <param name="source">File in which the name stands, for the message.</param>
    public string? PathOf(string fileName, string? source = null)
    {
        Checkpoints.FileNames.Require(fileName, source);
        try
        {
            var full = Path.GetFullPath(Path.Combine(_root, fileName));
            var info = new FileInfo(full);
            if (info.LinkTarget is null && !Path.Exists(full))
            {
                return null;
            }

            var real = RealPath.Resolve(full)
                ?? throw new ModelFormatException("NotRegularFile", $"{Excerpt.Of(fileName)} is a circle of links; a regular file is needed.", fileName);
            if (!RealPath.IsBelow(real, _root) && (_blobs is null || !RealPath.IsBelow(real, _blobs)))
            {
                throw new ModelFormatException("PathEscape", $"{Excerpt.Of(fileName)} is a link that leaves the model folder; only links into it, or into the blobs of the same Hugging Face cache entry, are followed.", fileName);
            }

            RegularFile.Require(real, fileName);
            return real;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw RegularFile.Unreadable(fileName, e);
        }
    }

    /// <summary>The whole file, or null when there is none; longer than <paramref name="maxBytes"/> is a <see cref="ModelFormatException"/> with code <c>FileTooLarge</c>.</summary>
    public byte[]? ReadBytes(string fileName, long maxBytes)
    {
        if (PathOf(fileName) is not { } path)
        {
            return null;
        }

        using var handle = RegularFile.Open(path, fileName);
        try
        {
            var length = RandomAccess.GetLength(handle);
            if (length > maxBytes || length > Array.MaxLength)
            {
                throw new ModelFormatException("FileTooLarge", $"{fileName} has {length} bytes; at most {maxBytes} are read.", fileName);
            }

            var bytes = GC.AllocateUninitializedArray<byte>((int)length);
            var done = 0;
            while (done < bytes.Length)
            {
                var got = RandomAccess.Read(handle, bytes.AsSpan(done), done);
                if (got == 0)
                {
                    throw new ModelFormatException("FileChanged", $"{fileName} was cut to {done} of {length} bytes while it was read.", fileName, offset: done);
                }

                done += got;
            }

            return bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw RegularFile.Unreadable(fileName, e);
        }
    }

    /// <summary>The whole file as UTF-8 (a byte order mark is skipped), or null when there is none. Malformed UTF-8 is a <see cref="ModelFormatException"/> with code <c>NotUtf8</c>.</summary>
    public string? ReadText(string fileName, long maxBytes)
    {
        if (ReadBytes(fileName, maxBytes) is not { } bytes)
        {
            return null;
        }

        try
        {
            return new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(WithoutMark(bytes));
        }
        catch (DecoderFallbackException e)
        {
            throw new ModelFormatException("NotUtf8", $"{fileName} is not UTF-8 at byte {e.Index}.", fileName, offset: e.Index, inner: e);
        }
    }

    /// <summary>The bytes after a UTF-8 byte order mark, if there is one: editors on Windows add it.</summary>
    public static ReadOnlySpan<byte> WithoutMark(ReadOnlySpan<byte> bytes) => bytes.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes;

    /// <summary>The Hugging Face cache stores <c>models--ORG--NAME/snapshots/REVISION/file</c> as links into <c>models--ORG--NAME/blobs</c>.</summary>
    private static (string Name, string? Blobs) Describe(string full, string root)
    {
        const string prefix = "models--";
        var snapshots = Path.GetDirectoryName(root);
        var repository = Path.GetDirectoryName(snapshots);
        if (repository is null || !string.Equals(Path.GetFileName(snapshots), "snapshots", StringComparison.Ordinal))
        {
            return (Path.GetFileName(full) is { Length: > 0 } name ? name : full, null);
        }

        var folder = Path.GetFileName(repository);
        return (folder.StartsWith(prefix, StringComparison.Ordinal) ? folder[prefix.Length..].Replace("--", "/", StringComparison.Ordinal) : Path.GetFileName(full),
            Path.Combine(repository, "blobs"));
    }
}
