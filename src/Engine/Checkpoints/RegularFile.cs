using System.Formats.Tar;
using Microsoft.Win32.SafeHandles;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>Opens files that are files: never a pipe (opening one can block for ever), a device, a socket or a folder.</summary>
internal static class RegularFile
{
    /// <summary>Opens for reading; throws <see cref="ModelFormatException"/> with code <c>NotRegularFile</c> or <c>Unreadable</c>.</summary>
    /// <param name="path">Path without links.</param>
    /// <param name="name">What messages call the file.</param>
    public static SafeFileHandle Open(string path, string name)
    {
        Require(path, name);
        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            _ = RandomAccess.GetLength(handle); // throws for what cannot be read at an offset: the file may have been exchanged since it was looked at
            return handle;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            handle?.Dispose();
            throw Unreadable(name, e);
        }
    }

    /// <summary>Looks at the type without opening.</summary>
    public static void Require(string path, string name)
    {
        try
        {
            if (Directory.Exists(path))
            {
                throw NotRegular(name, "a folder");
            }

            // A link that leads nowhere exists for .NET, so its end must be looked at.
            if (!File.Exists(path) || File.ResolveLinkTarget(path, returnFinalTarget: true) is { Exists: false })
            {
                throw NotRegular(name, "a link that leads nowhere");
            }

            // Pipes, devices and sockets have no length, so only files without one need the closer look.
            if (new FileInfo(path).Length == 0 && !OperatingSystem.IsWindows() && TypeOf(path) is not (TarEntryType.RegularFile or TarEntryType.HardLink))
            {
                throw NotRegular(name, "a pipe, device or socket");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(name, e);
        }
    }

    public static ModelFormatException Unreadable(string name, Exception inner) =>
        new("Unreadable", $"{name} cannot be read: {Excerpt.Of(inner.GetType().Name)}.", name, inner: inner);

    /// <summary>.NET tells the type of a file nowhere but here: an archive entry made from it (lstat, without opening anything but regular files, which are empty here).</summary>
    private static TarEntryType? TypeOf(string path)
    {
        using var archive = new MemoryStream();
        try
        {
            using (var writer = new TarWriter(archive, TarEntryFormat.Ustar, leaveOpen: true))
            {
                writer.WriteEntry(path, "x");
            }

            archive.Position = 0;
            using var reader = new TarReader(archive);
            return reader.GetNextEntry()?.EntryType;
        }
        catch (Exception e) when (e is IOException or ArgumentException or NotSupportedException or InvalidOperationException)
        {
            return null;
        }
    }

    private static ModelFormatException NotRegular(string name, string what) =>
        new("NotRegularFile", $"{name} is {what}; a regular file is needed.", name);
}
