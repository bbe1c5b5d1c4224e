using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Tokens by id and by their exact UTF-8 text: one arena of bytes and one open hash table that holds short texts itself, so that most look-ups touch memory once.</summary>
internal sealed class Vocabulary
{
    // Texts up to this many bytes are their own key.
    private const int ShortText = 8;

    private byte[] _arena;
    private int _used;
    private Place[] _places;
    private Slot[] _slots;
    private HashSet<int> _reserved = [];

    /// <param name="capacity">Tokens expected; the tables grow beyond it.</param>
    /// <param name="bytes">Bytes of text expected.</param>
    public Vocabulary(int capacity, int bytes)
    {
        _arena = new byte[Math.Max(16, bytes)];
        _places = new Place[Math.Max(16, capacity)];
        _slots = new Slot[Hashing.TableSize(capacity)];
    }

    /// <summary>Bytes of the longest token.</summary>
    public int LongestText { get; private set; }

    /// <summary>Number of tokens.</summary>
    public int Count { get; private set; }

    /// <summary>Highest id plus one.</summary>
    public int IdLimit { get; private set; }

    /// <summary>True where the id names a token; ids may have gaps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Contains(int id) => (uint)id < (uint)_places.Length && _places[id].LengthPlusOne > 0;

    /// <summary>UTF-8 text of a token; empty for a gap.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ReadOnlySpan<byte> Text(int id) => Contains(id) ? _arena.AsSpan(_places[id].Offset, _places[id].LengthPlusOne - 1) : default;

    /// <summary>True where the id is a token with this text.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Is(int id, ReadOnlySpan<byte> utf8) => Contains(id) && Hashing.Same(Text(id), utf8);

    /// <summary>Ids that text never becomes by itself: control tokens whose spelling happens to be in the vocabulary.</summary>
    public void Reserve(IEnumerable<int> ids) => _reserved = [.. ids];

    public bool IsReserved(int id) => _reserved.Count > 0 && _reserved.Contains(id);

    /// <summary>Id of the token with this text, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Find(ReadOnlySpan<byte> utf8) => Locate(utf8, Key(utf8)).IdPlusOne - 1;

    /// <summary>As <see cref="Find"/>, but not a reserved id.</summary>
    public int FindOrdinary(ReadOnlySpan<byte> utf8)
    {
        var id = Find(utf8);
        return id >= 0 && IsReserved(id) ? -1 : id;
    }

    /// <summary>Adds a token, or gives a known text another id as the last one of a JSON object wins. False where the id is taken by another text.</summary>
    /// <param name="utf8">The token's text.</param>
    /// <param name="id">Its id.</param>
    /// <param name="keepsOld">An id whose text gets another id keeps its text (a list with repeats) or loses it (an object whose last entry wins).</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryAdd(ReadOnlySpan<byte> utf8, int id, bool keepsOld = false)
    {
        if (Contains(id))
        {
            return Is(id, utf8);
        }

        if ((Count + 1) * 2L > _slots.Length)
        {
            Rehash(_slots.Length * 2);
        }

        if (id >= _places.Length)
        {
            Array.Resize(ref _places, Math.Max(checked(id + 1), checked(_places.Length * 2)));
        }

        var offset = Store(utf8);
        var key = Key(utf8);
        ref var slot = ref Locate(utf8, key);
        if (slot.IdPlusOne != 0 && !keepsOld)
        {
            _places[slot.IdPlusOne - 1] = default;
            Count--;
        }

        slot = new Slot { Key = key, Length = utf8.Length, IdPlusOne = id + 1 };
        _places[id] = new Place { Offset = offset, LengthPlusOne = utf8.Length + 1 };
        IdLimit = Math.Max(IdLimit, id + 1);
        LongestText = Math.Max(LongestText, utf8.Length);
        Count++;
        return true;
    }

    /// <summary>The slot of the text, or the free one where it would be.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref Slot Locate(ReadOnlySpan<byte> utf8, ulong key)
    {
        var slots = _slots;
        for (var at = Hash(key, utf8.Length); ; at++)
        {
            ref var slot = ref slots[at & (slots.Length - 1)];
            if (slot.IdPlusOne == 0 || (slot.Key == key && slot.Length == utf8.Length && (utf8.Length <= ShortText || Is(slot.IdPlusOne - 1, utf8))))
            {
                return ref slot;
            }
        }
    }

    /// <summary>The text itself where it is short, else its hash.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Key(ReadOnlySpan<byte> utf8)
    {
        var length = utf8.Length;
        if (length > ShortText)
        {
            return Hashing.Of(utf8);
        }

        ref var first = ref MemoryMarshal.GetReference(utf8);
        if (length >= 4)
        {
            // Both halves may overlap; they agree there.
            var high = Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref first, length - 4));
            return Unsafe.ReadUnaligned<uint>(ref first) | ((ulong)high << ((length - 4) * 8));
        }

        return length == 0 ? 0 : first | ((ulong)Unsafe.Add(ref first, length >> 1) << ((length >> 1) * 8)) | ((ulong)Unsafe.Add(ref first, length - 1) << ((length - 1) * 8));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Hash(ulong key, int length) => (int)Hashing.Mix(key + (uint)length) & int.MaxValue;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Store(ReadOnlySpan<byte> utf8)
    {
        var offset = _used;
        var needed = checked(_used + utf8.Length);
        if (needed > _arena.Length)
        {
            Array.Resize(ref _arena, Math.Max(needed, checked(_arena.Length * 2)));
        }

        utf8.CopyTo(_arena.AsSpan(offset));
        _used = needed;
        return offset;
    }

    private void Rehash(int size)
    {
        var slots = new Slot[size];
        foreach (var moved in _slots)
        {
            if (moved.IdPlusOne == 0)
            {
                continue;
            }

            var at = Hash(moved.Key, moved.Length) & (size - 1);
            while (slots[at].IdPlusOne != 0)
            {
                at = (at + 1) & (size - 1);
            }

            slots[at] = moved;
        }

        _slots = slots;
    }

    private struct Slot
    {
        public ulong Key;
        public int Length;
        public int IdPlusOne;
    }

    // Where a token's text stands in the arena; no entry is a gap.
    private struct Place
    {
        public int Offset;
        public int LengthPlusOne;
    }
}
