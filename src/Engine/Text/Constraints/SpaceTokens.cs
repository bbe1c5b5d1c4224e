namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>Tokens by what stands behind the white space they begin with. Where white space is free and changes nothing, this trie is walked in place of the whole one: a token comes up once, however much space is before it.</summary>
internal sealed class SpaceTokens
{
    public SpaceTokens(IReadOnlyList<(byte[] Text, int Id)> tokens)
    {
        List<int> only = [];
        List<(byte[] Text, int Id)> rest = [];
        foreach (var (text, id) in tokens)
        {
            var at = text.AsSpan().IndexOfAnyExcept(" \t\n\r"u8);
            if (at < 0)
            {
                only.Add(id);
            }
            else if (text[at] is (byte)'"' or (byte)'{' or (byte)'}' or (byte)'[' or (byte)']' or (byte)',' or (byte)':' or (byte)'-' or (byte)'t' or (byte)'f' or (byte)'n' or (>= (byte)'0' and <= (byte)'9'))
            {
                // Nothing else begins anything in JSON.
                rest.Add((text[at..], id));
            }
        }

        rest.Sort(static (a, b) => a.Text.AsSpan().SequenceCompareTo(b.Text));
        Only = [.. only];
        Trie = new TokenTrie(rest).WithOpenings();
    }

    /// <summary>Tokens of nothing but white space.</summary>
    public int[] Only { get; }

    /// <summary>What follows the white space.</summary>
    public TokenTrie Trie { get; }
}
