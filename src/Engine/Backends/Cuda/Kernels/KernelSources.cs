using System.Collections.Frozen;
using System.Text;

namespace KvPrefetch.Engine.Backends.Cuda.Kernels;

/// <summary>The kernels' sources, which are resources of this assembly: <c>*.cu</c>, one kernel each, and the headers <c>*.cuh</c> that all of them may include.</summary>
internal static class KernelSources
{
    private const string Prefix = "kernels/";

    private static readonly Lazy<FrozenDictionary<string, string>> Files = new(() => typeof(KernelSources).Assembly.GetManifestResourceNames()
        .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
        .ToFrozenDictionary(name => name[Prefix.Length..], Read, StringComparer.Ordinal));

    /// <summary>Headers by name, in a fixed order.</summary>
    public static IEnumerable<(string Name, string Text)> Headers =>
        Files.Value.Where(f => f.Key.EndsWith(".cuh", StringComparison.Ordinal)).OrderBy(f => f.Key, StringComparer.Ordinal).Select(f => (f.Key, f.Value));

    /// <summary>Names of all kernels.</summary>
    public static IEnumerable<string> Names => Files.Value.Keys.Where(k => k.EndsWith(".cu", StringComparison.Ordinal)).Select(k => k[..^3]);

    public static string Of(string kernel) => Files.Value[kernel + ".cu"];

    private static string Read(string resource)
    {
        using var reader = new StreamReader(typeof(KernelSources).Assembly.GetManifestResourceStream(resource)!, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
