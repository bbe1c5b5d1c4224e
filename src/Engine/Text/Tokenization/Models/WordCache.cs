using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Ids of words met before: a direct-mapped table over two arenas. When an arena is full all is forgotten, and the next tables are larger, up to about 2 MiB.
/// Belongs to one thread at a time.</summary>
internal sealed class WordCache
{
    /// <summary>Longest word kept, in chars.</summary>
    public const int MaxWord = 64;

    private const int FirstSlots = 1 << 9;
    private const int LastSlots = 1 << 15;
    private const int CharsBySlot = 8;
    private const int IdsBySlot = 4;
    private const int Growth = 8;

    private Entry[] _entries = new Entry[FirstSlots];
    private char[] _chars = new char[FirstSlots * CharsBySlot];
    private int[] _ids = new int[FirstSlots * IdsBySlot];
    private int _charsUsed;
    private int _idsUsed;

    /// <summary>Appends the ids of the word where they are known.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryAppend(ReadOnlySpan<char> word, ulong hash, IntList ids)
    {
        var entries = _entries;
        ref var entry = ref entries[(int)hash & (entries.Length - 1)];
        if (entry.Hash != (uint)(hash >> 32) || entry.Length != word.Length || !word.SequenceEqual(_chars.AsSpan(entry.Start, entry.Length)))
        {
            return false;
        }

        if (entry.Count == 1)
        {
            ids.Add(_ids[entry.Ids]);
        }
        else
        {
            ids.AddRange(_ids.AsSpan(entry.Ids, entry.Count));
        }

        return true;
    }

    public void Store(ReadOnlySpan<char> word, ulong hash, ReadOnlySpan<int> ids)
    {
        if (_charsUsed + word.Length > _chars.Length || _idsUsed + ids.Length > _ids.Length)
        {
            Forget();
            if (ids.Length > _ids.Length)
            {
                return;
            }
        }

        word.CopyTo(_chars.AsSpan(_charsUsed));
        ids.CopyTo(_ids.AsSpan(_idsUsed));
        _entries[(int)hash & (_entries.Length - 1)] = new Entry { Hash = (uint)(hash >> 32), Start = _charsUsed, Length = (ushort)word.Length, Ids = _idsUsed, Count = (ushort)ids.Length };
        _charsUsed += word.Length;
        _idsUsed += ids.Length;
    }

    private void Forget()
    {
        _charsUsed = 0;
        _idsUsed = 0;
        if (_entries.Length >= LastSlots)
        {
            Array.Clear(_entries);
            return;
        }

        var slots = Math.Min(LastSlots, _entries.Length * Growth);
        _entries = new Entry[slots];
        _chars = new char[slots * CharsBySlot];
        _ids = new int[slots * IdsBySlot];
    }

    private struct Entry
    {
        public uint Hash;
        public int Start;
        public int Ids;
        public ushort Length;
        public ushort Count;
    }
}
