using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends.Cpu.Assembly;

/// <summary>What Linux is told about memory; elsewhere nothing, and nothing depends on it.</summary>
internal static partial class HostPages
{
    private const int DontNeed = 4, HugePage = 14;

    /// <summary>Weights that are read from first to last profit from large pages: fewer translations, and reading ahead does not stop at every 4 KiB.</summary>
    public static void PreferLarge(nint address, long bytes)
    {
        if (OperatingSystem.IsLinux() && bytes > 0)
        {
            long page = Environment.SystemPageSize, first = address & -page;
            _ = madvise((nint)first, (nuint)(((address + bytes + page - 1) & -page) - first), HugePage);
        }
    }

    /// <summary>Pages wholly inside a mapped file's bytes need not stay in memory: they come back when somebody reads them. Never for other memory, which would lose what it holds.</summary>
    public static void Release(nint address, long bytes)
    {
        if (OperatingSystem.IsLinux())
        {
            long page = Environment.SystemPageSize, first = (address + page - 1) & -page, end = (address + bytes) & -page;
            if (end > first)
            {
                _ = madvise((nint)first, (nuint)(end - first), DontNeed);
            }
        }
    }

    [LibraryImport("libc")]
    private static partial int madvise(nint address, nuint bytes, int advice);
}
