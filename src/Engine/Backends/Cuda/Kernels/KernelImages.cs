using System.Security.Cryptography;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The code of kernels, from where it is to be had first: the folder of machine code that was compiled before, the compiler, the PTX that comes with the package.</summary>
/// <param name="compiler">Null: there is none.</param>
/// <param name="shipped">Null: there is none.</param>
/// <param name="folder">Where machine code is kept under the hash of all that it depends on, so that the next process need not compile; null: nowhere.</param>
/// <param name="missing">Why there is no compiler, as a sentence.</param>
internal sealed class KernelImages(KernelCompiler? compiler, PtxArchive? shipped, string? folder, string? missing)
{
    /// <summary>Where kernels are kept when nobody says: KVPREFETCH_KERNEL_CACHE, else a folder of the user's.</summary>
    public static string? DefaultFolder
    {
        get
        {
            var named = Environment.GetEnvironmentVariable("KVPREFETCH_KERNEL_CACHE");
            var home = Environment.GetFolderPath(OperatingSystem.IsWindows() ? Environment.SpecialFolder.LocalApplicationData : Environment.SpecialFolder.UserProfile);
            return !string.IsNullOrEmpty(named) ? named
                : Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache ? System.IO.Path.Combine(cache, "kvprefetch", "kernels")
                : home.Length == 0 ? null
                : OperatingSystem.IsWindows() ? System.IO.Path.Combine(home, "KvPrefetch", "kernels")
                : System.IO.Path.Combine(home, ".cache", "kvprefetch", "kernels");
        }
    }

    /// <summary>Whether every variant can be had.</summary>
    public bool Compiles => compiler is not null;

    /// <summary>Kernels that were compiled, not found.</summary>
    public int Compiled { get; private set; }

    /// <summary>Kernels that the driver translates.</summary>
    public int Translated { get; private set; }

    public bool Has(KernelSpec spec, int architecture) => compiler is not null || Path(spec, architecture) is not null || shipped?.Find(spec, architecture) is not null;

    /// <summary>Machine code for the architecture, or PTX.</summary>
    /// <exception cref="DeviceException">Fault: it does not compile. Unsupported: it is nowhere, and there is no compiler.</exception>
    public byte[] Of(KernelSpec spec, int architecture)
    {
        var path = Path(spec, architecture);
        if (path is not null && Read(path) is { } kept)
        {
            return kept;
        }

        if (compiler is not null)
        {
            var image = compiler.Compile(spec, architecture);
            Compiled++;
            if (path is not null)
            {
                Write(path, image);
            }

            return image;
        }

        if (shipped?.Find(spec, architecture) is { } ptx)
        {
            Translated++;
            return ptx;
        }

        throw new DeviceException(DeviceException.Unsupported, $"The kernel {spec.Variant} is not among those that come with the package, and there is no compiler for it. {missing}".TrimEnd());
    }

    /// <summary>The file of this compiler's code; without a compiler that of any one, where there is one.</summary>
    private string? Path(KernelSpec spec, int architecture)
    {
        if (folder is null)
        {
            return null;
        }

        var hash = KernelCompiler.Hash(spec, architecture);
        try
        {
            return compiler is not null ? System.IO.Path.Combine(folder, $"{hash}.{compiler.Version}.cubin")
                : Directory.Exists(folder) ? Directory.EnumerateFiles(folder, hash + ".*.cubin").Order(StringComparer.Ordinal).FirstOrDefault()
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The code in a file that begins with its hash; null where it is missing or damaged.</summary>
    private static byte[]? Read(string path)
    {
        try
        {
            var bytes = File.ReadAllBytes(path);
            return bytes.Length > SHA256.HashSizeInBytes && SHA256.HashData(bytes.AsSpan(SHA256.HashSizeInBytes)).AsSpan().SequenceEqual(bytes.AsSpan(0, SHA256.HashSizeInBytes))
                ? bytes[SHA256.HashSizeInBytes..]
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Whoever reads meanwhile sees the whole file or none. What cannot be kept is compiled again next time.</summary>
    private static void Write(string path, byte[] image)
    {
        var temporary = path + FormattableString.Invariant($".{Environment.ProcessId}.{Guid.NewGuid():N}.tmp");
        try
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
            File.WriteAllBytes(temporary, [.. SHA256.HashData(image), .. image]);
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            try
            {
                File.Delete(temporary);
            }
            catch (Exception again) when (again is IOException or UnauthorizedAccessException)
            {
                // A left-over of a full disk; nothing reads it.
            }
        }
    }
}
