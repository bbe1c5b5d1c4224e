using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>The merges of a BPE: (left id, right id) to (rank, merged id). The last of two merges of one pair counts, as in the reference.</summary>
internal sealed class MergeTable
{
    /// <summary>Rank of a pair that does not merge.</summary>
    public const int None = int.MaxValue;

    private readonly Entry[] _entries;
    private readonly int _shift;

    public MergeTable(int capacity)
    {
        var size = Hashing.TableSize(capacity);
        _entries = new Entry[size];
        _shift = 64 - int.Log2(size);
    }

    public void Add(int left, int right, int rank, int merged)
    {
        var key = Key(left, right);
        var mask = _entries.Length - 1;
        var slot = (int)(Spread(key) >> _shift);
        while (_entries[slot].Key != 0 && _entries[slot].Key != key)
        {
            slot = (slot + 1) & mask;
        }

        _entries[slot] = new Entry { Key = key, Rank = rank, Merged = merged };
    }

    /// <summary>Rank of the pair, or <see cref="None"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Find(int left, int right, out int merged)
    {
        var entries = _entries;
        var key = Key(left, right);
        var slot = (int)(Spread(key) >> _shift);
        while (true)
        {
            ref var entry = ref entries[slot];
            if (entry.Key == key)
            {
                merged = entry.Merged;
                return entry.Rank;
            }

            if (entry.Key == 0)
            {
                merged = 0;
                return None;
            }

            slot = (slot + 1) & (entries.Length - 1);
        }
    }

    // Both ids plus one, so that no pair is the empty key.
    private static ulong Key(int left, int right) => ((ulong)(uint)(left + 1) << 32) | (uint)(right + 1);

    private static ulong Spread(ulong key)
    {
        key ^= key >> 29;
        return key * 0x9E3779B97F4A7C15;
    }

    private struct Entry
    {
        public ulong Key;
        public int Rank;
        public int Merged;
    }
}
