using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>A trie over the bytes of all tokens: one open hash table from (node, byte) to node.</summary>
internal sealed class ByteTrie
{
    private readonly List<int> _idAt = [-1];
    private ulong[] _edges;
    private int _count;

    public ByteTrie(Vocabulary vocabulary)
    {
        _edges = new ulong[Hashing.TableSize(vocabulary.Count * 2)];
        for (var id = 0; id < vocabulary.IdLimit; id++)
        {
            var text = vocabulary.Text(id);
            if (!text.IsEmpty && !vocabulary.IsReserved(id))
            {
                // The id that counts for a text is the one that the vocabulary finds.
                Add(text, vocabulary.Find(text));
            }
        }
    }

    /// <summary>Id of the token that ends at the node, or -1.</summary>
    public int IdAt(int node) => _idAt[node];

    /// <summary>The node behind a byte, or -1. The root is 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Next(int node, byte value)
    {
        var key = Key(node, value);
        var mask = _edges.Length - 1;
        for (var slot = Slot(key) & mask; ; slot = (slot + 1) & mask)
        {
            var edge = _edges[slot];
            if (edge >> 32 == key)
            {
                return (int)(uint)edge;
            }

            if (edge == 0)
            {
                return -1;
            }
        }
    }

    private static ulong Key(int node, byte value) => ((ulong)(uint)node << 8 | value) + 1;

    private static int Slot(ulong key) => (int)((key * 0x9E3779B97F4A7C15) >> 33);

    private void Add(ReadOnlySpan<byte> text, int id)
    {
        var node = 0;
        foreach (var b in text)
        {
            var next = Next(node, b);
            if (next < 0)
            {
                next = _idAt.Count;
                _idAt.Add(-1);
                if (next >= 1 << 24)
                {
                    throw TokenizerErrors.Format("InvalidVocabulary", "tokenizer.json: the texts of model.vocab take more than 16,777,216 nodes of a trie.");
                }

                Insert(Key(node, b) << 32 | (uint)next);
            }

            node = next;
        }

        _idAt[node] = id;
    }

    private void Insert(ulong edge)
    {
        if (++_count * 2 > _edges.Length)
        {
            var old = _edges;
            _edges = new ulong[old.Length * 2];
            foreach (var moved in old)
            {
                if (moved != 0)
                {
                    Place(moved);
                }
            }
        }

        Place(edge);
    }

    private void Place(ulong edge)
    {
        var mask = _edges.Length - 1;
        var slot = Slot(edge >> 32) & mask;
        while (_edges[slot] != 0)
        {
            slot = (slot + 1) & mask;
        }

        _edges[slot] = edge;
    }
}
