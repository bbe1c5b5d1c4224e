using System.Buffers;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Looks for tags in text that arrives piece by piece. Safe for concurrent use.</summary>
internal sealed class TagScan(IReadOnlyList<string> tags)
{
    // Longer space is given out although a tag may follow: what is held is searched with every piece.
    private const int MaxSpace = 256;

    private readonly SearchValues<string> _values = SearchValues.Create([.. tags], StringComparison.Ordinal);

    /// <summary>The first tag from an index on, the longer where two begin there; -1 and null where there is none.</summary>
    public (int At, string? Tag) Find(string text, int from)
    {
        var found = tags.Count == 0 ? -1 : text.AsSpan(from).IndexOfAny(_values);
        if (found < 0)
        {
            return (-1, null);
        }

        var at = from + found;
        return (at, tags.Where(tag => text.AsSpan(at).StartsWith(tag, StringComparison.Ordinal)).MaxBy(tag => tag.Length));
    }

    /// <summary>Index up to which no letter can belong to a tag, nor to the space before one.</summary>
    public int Certain(string text, int from)
    {
        var keep = 0;
        foreach (var tag in tags)
        {
            var most = Math.Min(text.Length - from, tag.Length - 1);
            while (most > keep && !tag.AsSpan().StartsWith(text.AsSpan(text.Length - most), StringComparison.Ordinal))
            {
                most--;
            }

            keep = Math.Max(keep, most);
        }

        var end = text.Length - keep;
        var least = Math.Max(from, end - MaxSpace);
        while (end > least && char.IsWhiteSpace(text[end - 1]))
        {
            end--;
        }

        return end;
    }
}
