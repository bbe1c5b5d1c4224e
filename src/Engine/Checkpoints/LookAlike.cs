using System.Text;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>Says what a file that is named <c>*.safetensors</c> but is none looks like.</summary>
internal static class LookAlike
{
    /// <summary>Bytes of the file's beginning that are enough.</summary>
    public const int PrefixLength = 64;

    /// <summary>A phrase for the message, or null.</summary>
    public static string? Of(ReadOnlySpan<byte> prefix)
    {
        if (prefix.StartsWith("GGUF"u8))
        {
            return "a GGUF file";
        }

        if (prefix.StartsWith("PK\x03\x04"u8) || (prefix.Length >= 2 && prefix[0] == 0x80 && prefix[1] is >= 2 and <= 5))
        {
            return "a pickle (PyTorch) file, which is never loaded";
        }

        if (prefix.StartsWith("version https://git-lfs"u8))
        {
            return "a git-lfs pointer: the file itself was not downloaded (run 'git lfs pull')";
        }

        var text = Encoding.Latin1.GetString(prefix).TrimStart();
        if (text.StartsWith("<!doctype", StringComparison.OrdinalIgnoreCase) || text.StartsWith("<html", StringComparison.OrdinalIgnoreCase) || text.StartsWith("<?xml", StringComparison.OrdinalIgnoreCase))
        {
            return "an HTML or XML page: a download that failed";
        }

        return text.StartsWith("{\"", StringComparison.Ordinal) ? "JSON text" : null;
    }
}
