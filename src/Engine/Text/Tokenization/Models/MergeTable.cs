using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Merges in the order of their ranks.</summary>
/// <param name="Pairs">A <see cref="MergeTable.Key"/> each; 0 where a rank has no merge.</param>
/// <param name="Merged">Id of the result of each.</param>
/// <param name="Ranks">Rank of each, rising; null where it is the place in the list.</param>
internal readonly record struct MergeList(ulong[] Pairs, int[] Merged, int[]? Ranks = null);

/// <summary>The merges of a BPE: (left id, right id) to (rank, merged id). The last of two merges of one pair counts, as in the reference.</summary>
internal sealed class MergeTable
{
    /// <summary>Rank of a pair that does not merge.</summary>
    public const int None = int.MaxValue;

    private readonly Entry[] _entries;
    private readonly int _shift;

    // Four bits a slot, one of them set for each merge: most pairs do not merge, and these bits say so of nine in ten from a table that fits into the second-level cache.
    private readonly ulong[] _mayMerge;
    private readonly int _bitShift;

    /// <param name="merges">What merges.</param>
    /// <param name="vocabulary">Knows the ids that may not come out of merging.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public MergeTable(MergeList merges, Vocabulary vocabulary)
    {
        var size = Hashing.TableSize(merges.Pairs.Length);
        _entries = new Entry[size];
        _shift = 64 - int.Log2(size);
        _mayMerge = new ulong[size / 16];
        _bitShift = 64 - int.Log2(size * 4);
        for (var i = 0; i < merges.Pairs.Length; i++)
        {
            var key = merges.Pairs[i];
            if (key == 0 || vocabulary.IsReserved(merges.Merged[i]))
            {
                continue;
            }

            var hash = Spread(key);
            var bit = hash >> _bitShift;
            _mayMerge[bit >> 6] |= 1UL << (int)bit;
            var slot = (int)(hash >> _shift);
            while (_entries[slot].Key != 0 && _entries[slot].Key != key)
            {
                slot = (slot + 1) & (size - 1);
            }

            _entries[slot] = new Entry { Key = key, Rank = merges.Ranks is null ? i : merges.Ranks[i], Merged = merges.Merged[i] };
        }
    }

    /// <summary>Rank of the pair, or <see cref="None"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Find(int left, int right, out int merged)
    {
        var entries = _entries;
        var key = Key(left, right);
        var hash = Spread(key);
        var bit = hash >> _bitShift;
        if (((_mayMerge[bit >> 6] >> (int)bit) & 1) == 0)
        {
            merged = 0;
            return None;
        }

        var slot = (int)(hash >> _shift);
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

    /// <summary>A pair as one number: both ids plus one, so that no pair is 0.</summary>
    public static ulong Key(int left, int right) => ((ulong)(uint)(left + 1) << 32) | (uint)(right + 1);

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
