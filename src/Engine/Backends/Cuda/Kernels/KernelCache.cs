using System.Security.Cryptography;
using KvPrefetch.Engine.Backends.Cuda.Driver;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>Kernels of one context, compiled when they are first asked for. Machine code is kept in a folder under the hash of all that it depends on, so that the next process need not compile.</summary>
/// <param name="context">Where they run.</param>
/// <param name="compiler">Makes what is not in the folder.</param>
/// <param name="folder">Null: nothing is kept.</param>
internal sealed class KernelCache(CudaContext context, KernelCompiler compiler, string? folder) : IDisposable
{
    private readonly Dictionary<string, (CudaModule Module, CudaKernel Kernel)> _kernels = new(StringComparer.Ordinal);

    /// <summary>The same by the spec that was the first of its name: a launch should not put a name together.</summary>
    private readonly Dictionary<KernelSpec, CudaKernel> _bySpec = new(ReferenceEqualityComparer.Instance);

    /// <summary>Where kernels are kept when nobody says: KVPREFETCH_KERNEL_CACHE, else a folder of the user's.</summary>
    public static string? DefaultFolder
    {
        get
        {
            var named = Environment.GetEnvironmentVariable("KVPREFETCH_KERNEL_CACHE");
            var home = Environment.GetFolderPath(OperatingSystem.IsWindows() ? Environment.SpecialFolder.LocalApplicationData : Environment.SpecialFolder.UserProfile);
            return !string.IsNullOrEmpty(named) ? named
                : Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache ? Path.Combine(cache, "kvprefetch", "kernels")
                : home.Length == 0 ? null
                : OperatingSystem.IsWindows() ? Path.Combine(home, "KvPrefetch", "kernels")
                : Path.Combine(home, ".cache", "kvprefetch", "kernels");
        }
    }

    /// <summary>Kernels that were compiled, not found.</summary>
    public int Compiled { get; private set; }

    /// <summary>The kernel, ready to be launched. The same for equal variants.</summary>
    public CudaKernel Get(KernelSpec spec) => _bySpec.TryGetValue(spec, out var kernel) ? kernel : Make(spec);

    public void Dispose()
    {
        foreach (var (module, _) in _kernels.Values)
        {
            module.Dispose();
        }

        _kernels.Clear();
        _bySpec.Clear();
    }

    private CudaKernel Make(KernelSpec spec)
    {
        var key = spec.Variant;
        if (_kernels.TryGetValue(key, out var known))
        {
            return known.Kernel;
        }

        if (context.Architecture < spec.MinArchitecture)
        {
            throw new DeviceException(DeviceException.Unsupported, FormattableString.Invariant($"The kernel {spec.Variant} needs compute capability {spec.MinArchitecture / 10.0:0.0}; {context.Name} has {context.Architecture / 10.0:0.0}."));
        }

        if (spec.SharedBytes > context.SharedBytes)
        {
            throw new DeviceException(DeviceException.Unsupported, $"The kernel {spec.Variant} needs {spec.SharedBytes} bytes of shared memory; a block of {context.Name} has at most {context.SharedBytes}.");
        }

        var module = CudaModule.Load(context, Image(spec), spec.Variant);
        try
        {
            var kernel = new CudaKernel(context, module.Function(spec.Name), spec);
            _kernels.Add(key, (module, kernel));
            return kernel;
        }
        catch
        {
            module.Dispose();
            throw;
        }
    }

    private byte[] Image(KernelSpec spec)
    {
        var path = folder is null ? null : Path.Combine(folder, compiler.Hash(spec, context.Architecture) + ".cubin");
        if (path is not null && Read(path) is { } kept)
        {
            return kept;
        }

        var image = compiler.Compile(spec, context.Architecture);
        Compiled++;
        if (path is not null)
        {
            Write(path, image);
        }

        return image;
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
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
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
