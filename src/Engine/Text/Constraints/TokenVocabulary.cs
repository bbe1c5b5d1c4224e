using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>What masks need of a tokenizer: its tokens as bytes, their trie, and sets of tokens that are known before any grammar. Added tokens, special or not, are in none of them: they are allowed by number only. Immutable.</summary>
internal sealed class TokenVocabulary
{
    private static readonly System.Buffers.SearchValues<byte> s_word = System.Buffers.SearchValues.Create(WordBytes);

    private readonly byte[][] _texts;

    public TokenVocabulary(Tokenizer tokenizer)
    {
        Tokenizer = tokenizer;
        Size = tokenizer.VocabularySize;
        _texts = new byte[Size][];
        List<(byte[], int)> entries = new(Size);
        for (var id = 0; id < Size; id++)
        {
            _texts[id] = tokenizer.IsAdded(id) ? [] : tokenizer.GetTokenBytes(id);
            if (_texts[id].Length > 0)
            {
                entries.Add((_texts[id], id));
            }
        }

        entries.Sort(static (a, b) => a.Item1.AsSpan().SequenceCompareTo(b.Item1));
        Trie = new TokenTrie(entries).WithOpenings();
        Strings = new StringTokens(entries, Size);
        Spaces = new SpaceTokens(entries);
        WordMask = new uint[Words];
        List<(byte[], int)> others = [];
        foreach (var (text, id) in entries)
        {
            if (text.AsSpan().IndexOfAnyExcept(s_word) < 0)
            {
                WordMask[id >> 5] |= 1u << id;
            }
            else
            {
                others.Add((text, id));
            }
        }

        NotWords = new TokenTrie(others);
    }

    public Tokenizer Tokenizer { get; }

    /// <summary>Ids are below this.</summary>
    public int Size { get; }

    /// <summary>Words of a mask: 32 ids each.</summary>
    public int Words => (Size + 31) / 32;

    public TokenTrie Trie { get; }

    public StringTokens Strings { get; }

    public SpaceTokens Spaces { get; }

    /// <summary>Tokens of nothing but <see cref="WordBytes"/>.</summary>
    public uint[] WordMask { get; }

    /// <summary>All other tokens.</summary>
    public TokenTrie NotWords { get; }

    /// <summary>ASCII letters, digits and the underscore.</summary>
    public static ReadOnlySpan<byte> WordBytes => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"u8;

    /// <summary>Bytes of a token; empty for added tokens and ids without one.</summary>
    public ReadOnlySpan<byte> Text(int id) => _texts[id];
}
