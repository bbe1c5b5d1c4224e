namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>Tokens by what stands behind the white space they begin with. Where white space is free and changes nothing, this trie is walked in place of the whole one: a tenth of the nodes.</summary>
internal sealed class SpaceTokens
{
    private readonly int[][] _groups;

    public SpaceTokens(IReadOnlyList<(byte[] Text, int Id)> tokens)
    {
        List<int> only = [];
        var groups = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        foreach (var (text, id) in tokens)
        {
            var at = text.AsSpan().IndexOfAnyExcept(" \t\n\r"u8);
            if (at < 0)
            {
                only.Add(id);
                continue;
            }

            var key = System.Text.Encoding.Latin1.GetString(text.AsSpan(at));
            if (!groups.TryGetValue(key, out var list))
            {
                groups.Add(key, list = []);
            }

            list.Add(id);
        }

        Only = [.. only];
        var ordered = groups.OrderBy(g => g.Key, StringComparer.Ordinal).ToArray();
        _groups = [.. ordered.Select(g => g.Value.ToArray())];
        Trie = new TokenTrie([.. ordered.Select((g, i) => (System.Text.Encoding.Latin1.GetBytes(g.Key), i))]);
    }

    /// <summary>Tokens of nothing but white space.</summary>
    public int[] Only { get; }

    /// <summary>What follows the white space; its values number groups.</summary>
    public TokenTrie Trie { get; }

    /// <summary>Tokens of a group.</summary>
    public ReadOnlySpan<int> Group(int value) => _groups[value];
}
