using KvPrefetch.Engine.Text.Constraints.Regular;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>What masks need of a tokenizer: its tokens as bytes, their trie, and sets of tokens that are known before any grammar. Added tokens, special or not, are in none of them: they are allowed by number only. Immutable.</summary>
internal sealed class TokenVocabulary
{
    private const long MaxPlainBytes = 64L << 20;

    private readonly byte[][] _texts;
    private readonly Lock _gate = new();
    private readonly List<(ByteClasses Classes, ClassTrie Trie)> _plain = [];
    private long _plainBytes;

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
    }

    public Tokenizer Tokenizer { get; }

    /// <summary>Ids are below this.</summary>
    public int Size { get; }

    /// <summary>Words of a mask: 32 ids each.</summary>
    public int Words => (Size + 31) / 32;

    public TokenTrie Trie { get; }

    public StringTokens Strings { get; }

    public SpaceTokens Spaces { get; }

    /// <summary>The tokens that stay inside a string, without an escape, over classes of bytes. A few that were used last are kept, for all grammars.</summary>
    public ClassTrie PlainOver(ByteClasses classes)
    {
        lock (_gate)
        {
            var at = _plain.FindIndex(known => known.Classes.Equals(classes));
            var trie = at < 0 ? new ClassTrie(Strings.Plain, classes, Words) : _plain[at].Trie;
            if (at >= 0)
            {
                _plain.RemoveAt(at);
            }
            else
            {
                _plainBytes += trie.Bytes;
            }

            _plain.Add((classes, trie));
            while (_plainBytes > MaxPlainBytes && _plain.Count > 1)
            {
                _plainBytes -= _plain[0].Trie.Bytes;
                _plain.RemoveAt(0);
            }

            return trie;
        }
    }

    /// <summary>Bytes of a token; empty for added tokens and ids without one.</summary>
    public ReadOnlySpan<byte> Text(int id) => _texts[id];
}
