using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Ids of words met before: a direct-mapped table over two arenas of fixed size (about 2 MiB), emptied when an arena is full. Belongs to one thread at a time.</summary>
internal sealed class WordCache
{
    /// <summary>Longest word kept, in chars.</summary>
    public const int MaxWord = 64;

    private const int Slots = 1 << 15;
    private readonly Entry[] _entries = new Entry[Slots];
    private readonly char[] _chars = new char[1 << 18];
    private readonly int[] _ids = new int[1 << 17];
    private int _charsUsed;
    private int _idsUsed;

    /// <summary>Appends the ids of the word where they are known.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryAppend(ReadOnlySpan<char> word, ulong hash, IntList ids)
    {
        ref var entry = ref _entries[(int)(hash & (Slots - 1))];
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
            Array.Clear(_entries);
            _charsUsed = 0;
            _idsUsed = 0;
            if (ids.Length > _ids.Length)
            {
                return;
            }
        }

        word.CopyTo(_chars.AsSpan(_charsUsed));
        ids.CopyTo(_ids.AsSpan(_idsUsed));
        _entries[(int)(hash & (Slots - 1))] = new Entry { Hash = (uint)(hash >> 32), Start = _charsUsed, Length = (ushort)word.Length, Ids = _idsUsed, Count = (ushort)ids.Length };
        _charsUsed += word.Length;
        _idsUsed += ids.Length;
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
