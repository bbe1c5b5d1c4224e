namespace KvPrefetch.Engine.Checkpoints;

/// <summary>The one place that judges file names that come out of a file: a plain name, under the rules of POSIX and of Windows at once, on every system.</summary>
internal static class FileNames
{
    private const int MaxLength = 255;
    private const string Forbidden = "/\\:<>\"|?*";

    /// <summary>Throws <see cref="ModelFormatException"/> with code <c>PathEscape</c> unless <paramref name="name"/> can only name a file directly inside a folder.</summary>
    /// <param name="name">The name to judge.</param>
    /// <param name="source">File in which the name stands, or null when the program itself asks.</param>
    public static void Require(string name, string? source = null)
    {
        if (Refusal(name) is { } why)
        {
            throw new ModelFormatException("PathEscape", $"{(source is null ? "A file name" : source + " names a file that")} is not a plain name inside the model folder: {Excerpt.Of(name)} {why}.", source);
        }
    }

    private static string? Refusal(string name)
    {
        if (name.Length is 0 or > MaxLength)
        {
            return $"has {name.Length} characters, 1 to {MaxLength} are allowed";
        }

        if (name is "." or "..")
        {
            return "leaves the folder";
        }

        foreach (var c in name)
        {
            if (c < ' ' || c == '\x7f' || Forbidden.Contains(c, StringComparison.Ordinal))
            {
                return $"contains the character U+{(int)c:X4}";
            }
        }

        if (name[^1] is ' ' or '.' || name[0] == ' ')
        {
            return "begins or ends with a space or a dot";
        }

        return IsDevice(name) ? "is the name of a device on Windows" : null;
    }

    /// <summary>CON, NUL, COM1 and their like name a device whatever extension follows.</summary>
    private static bool IsDevice(string name)
    {
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        var stem = (dot < 0 ? name : name[..dot]).TrimEnd(' ').ToUpperInvariant();
        return stem is "CON" or "PRN" or "AUX" or "NUL" or "CONIN$" or "CONOUT$" or "CLOCK$"
            || (stem.Length == 4 && (stem.StartsWith("COM", StringComparison.Ordinal) || stem.StartsWith("LPT", StringComparison.Ordinal)) && stem[3] is (>= '0' and <= '9') or '\u00b9' or '\u00b2' or '\u00b3');
    }
}
