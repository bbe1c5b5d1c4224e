namespace KvPrefetch.Engine.Checkpoints;

/// <summary>Paths with every link in them followed, as the system itself would follow them.</summary>
internal static class RealPath
{
    private const int MaxLinks = 40;

    /// <summary>The path without links, or null where links go in a circle. The last component need not exist.</summary>
    public static string? Resolve(string path)
    {
        var full = Path.GetFullPath(path);
        var current = Path.GetPathRoot(full)!;
        var pending = new Stack<string>();
        Push(pending, full[current.Length..]);
        var links = 0;
        while (pending.TryPop(out var part))
        {
            if (part is "..")
            {
                current = Path.GetDirectoryName(current) ?? current;
                continue;
            }

            var next = Path.Combine(current, part);
            if (new FileInfo(next).LinkTarget is not { } target)
            {
                current = next;
                continue;
            }

            if (++links > MaxLinks)
            {
                return null;
            }

            var root = Path.IsPathRooted(target) ? Path.GetPathRoot(Path.GetFullPath(target))! : "";
            if (root.Length > 0)
            {
                current = root;
                target = Path.GetFullPath(target)[root.Length..];
            }

            Push(pending, target);
        }

        return current;
    }

    /// <summary>True when <paramref name="path"/> lies below <paramref name="folder"/>; both without links.</summary>
    public static bool IsBelow(string path, string folder)
    {
        var prefix = Path.EndsInDirectorySeparator(folder) ? folder : folder + Path.DirectorySeparatorChar;
        return path.StartsWith(prefix, OperatingSystem.IsWindows() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal);
    }

    private static void Push(Stack<string> pending, string path)
    {
        var parts = path.Split([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries);
        for (var i = parts.Length - 1; i >= 0; i--)
        {
            if (parts[i] is not ".")
            {
                pending.Push(parts[i]);
            }
        }
    }
}
