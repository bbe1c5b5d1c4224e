using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cuda.Driver;

/// <summary>Where native libraries are looked for: a path the user set, the application's own folder and its NuGet native assets, the CUDA toolkit, the loader's path.</summary>
internal static class NativeSearch
{
    /// <summary>Names a folder that is searched first.</summary>
    public const string Variable = "KVPREFETCH_CUDA_PATH";

    /// <summary>The first of these libraries that loads, or 0; <paramref name="looked"/> says where it was looked for.</summary>
    /// <param name="names">File names, the preferred first.</param>
    /// <param name="userPath">A folder, or null.</param>
    /// <param name="looked">Folders that exist, for an error message.</param>
    public static nint Find(IReadOnlyList<string> names, string? userPath, out string looked)
    {
        var folders = Folders(userPath).Where(Directory.Exists).Distinct(StringComparer.Ordinal).ToList();
        foreach (var path in folders.SelectMany(_ => names, Path.Combine))
        {
            if (File.Exists(path) && NativeLibrary.TryLoad(path, out var library))
            {
                looked = path;
                return library;
            }
        }

        foreach (var name in names)
        {
            if (NativeLibrary.TryLoad(name, out var library))
            {
                looked = name;
                return library;
            }
        }

        looked = string.Join(", ", [.. folders, "the loader's path"]);
        return 0;
    }

    /// <summary>Folders in the order in which they are searched.</summary>
    public static IEnumerable<string> Folders(string? userPath)
    {
        foreach (var given in (string?[])[userPath, Environment.GetEnvironmentVariable(Variable)])
        {
            if (!string.IsNullOrEmpty(given))
            {
                yield return given;
            }
        }

        var application = AppContext.BaseDirectory;
        yield return application;
        yield return Path.Combine(application, "runtimes", OperatingSystem.IsWindows() ? "win-x64" : RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "linux-arm64" : "linux-x64", "native");
        foreach (var toolkit in (string?[])[Environment.GetEnvironmentVariable("CUDA_PATH"), Environment.GetEnvironmentVariable("CUDA_HOME"), OperatingSystem.IsWindows() ? null : "/usr/local/cuda"])
        {
            if (!string.IsNullOrEmpty(toolkit))
            {
                yield return Path.Combine(toolkit, OperatingSystem.IsWindows() ? "bin" : "lib64");
                yield return Path.Combine(toolkit, OperatingSystem.IsWindows() ? Path.Combine("bin", "x64") : Path.Combine("targets", "x86_64-linux", "lib"));
            }
        }

        if (!OperatingSystem.IsWindows())
        {
            yield return "/usr/local/nvidia/lib64";
            yield return "/usr/lib/wsl/lib";
        }
    }
}
