using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Tokens by id and by their exact UTF-8 text: one arena of bytes and one open hash table.</summary>
internal sealed class Vocabulary
{
    private byte[] _arena;
    private int _used;
    private int[] _offset;
    private int[] _length;
    private int[] _slots;
    private HashSet<int> _reserved = [];

    /// <param name="capacity">Tokens expected; the tables grow beyond it.</param>
    /// <param name="bytes">Bytes of text expected.</param>
    public Vocabulary(int capacity, int bytes)
    {
        _arena = new byte[Math.Max(16, bytes)];
        _offset = new int[Math.Max(16, capacity)];
        _length = new int[_offset.Length];
        _slots = new int[Hashing.TableSize(capacity)];
        Array.Fill(_length, -1);
    }

    /// <summary>Bytes of the longest token.</summary>
    public int LongestText { get; private set; }

    /// <summary>Number of tokens.</summary>
    public int Count { get; private set; }

    /// <summary>Highest id plus one.</summary>
    public int IdLimit { get; private set; }

    /// <summary>True where the id names a token; ids may have gaps.</summary>
    public bool Contains(int id) => (uint)id < (uint)IdLimit && _length[id] >= 0;

    /// <summary>UTF-8 text of a token; empty for a gap.</summary>
    public ReadOnlySpan<byte> Text(int id) => Contains(id) ? _arena.AsSpan(_offset[id], _length[id]) : default;

    /// <summary>Ids that text never becomes by itself: control tokens whose spelling happens to be in the vocabulary.</summary>
    public void Reserve(IEnumerable<int> ids) => _reserved = [.. ids];

    public bool IsReserved(int id) => _reserved.Contains(id);

    /// <summary>As <see cref="Find"/>, but not a reserved id.</summary>
    public int FindOrdinary(ReadOnlySpan<byte> utf8)
    {
        var id = Find(utf8);
        return id >= 0 && _reserved.Count > 0 && IsReserved(id) ? -1 : id;
    }

    /// <summary>True where the id, if it is one, has this text and the text this id.</summary>
    public bool Is(int id, ReadOnlySpan<byte> utf8) => Contains(id) && Text(id).SequenceEqual(utf8);

    /// <summary>Id of the token with this text, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Find(ReadOnlySpan<byte> utf8)
    {
        var mask = _slots.Length - 1;
        for (var slot = (int)Hashing.Of(utf8) & mask; ; slot = (slot + 1) & mask)
        {
            var id = _slots[slot] - 1;
            if (id < 0)
            {
                return -1;
            }

            if (_length[id] == utf8.Length && utf8.SequenceEqual(_arena.AsSpan(_offset[id], utf8.Length)))
            {
                return id;
            }
        }
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
            return Text(id).SequenceEqual(utf8);
        }

        if ((Count + 1) * 2L > _slots.Length)
        {
            Rehash(_slots.Length * 2);
        }

        EnsureId(id);
        var offset = Store(utf8);
        var mask = _slots.Length - 1;
        var slot = (int)Hashing.Of(utf8) & mask;
        while (_slots[slot] != 0)
        {
            var other = _slots[slot] - 1;
            if (_length[other] == utf8.Length && utf8.SequenceEqual(_arena.AsSpan(_offset[other], utf8.Length)))
            {
                if (!keepsOld)
                {
                    _length[other] = -1;
                    Count--;
                }

                break;
            }

            slot = (slot + 1) & mask;
        }

        _slots[slot] = id + 1;
        _offset[id] = offset;
        _length[id] = utf8.Length;
        IdLimit = Math.Max(IdLimit, id + 1);
        LongestText = Math.Max(LongestText, utf8.Length);
        Count++;
        return true;
    }

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

    private void EnsureId(int id)
    {
        if (id < _length.Length)
        {
            return;
        }

        var old = _length.Length;
        var size = Math.Max(checked(id + 1), checked(old * 2));
        Array.Resize(ref _offset, size);
        Array.Resize(ref _length, size);
        Array.Fill(_length, -1, old, size - old);
    }

    private void Rehash(int size)
    {
        var slots = new int[size];
        var mask = size - 1;
        for (var id = 0; id < IdLimit; id++)
        {
            if (_length[id] < 0)
            {
                continue;
            }

            var slot = (int)Hashing.Of(Text(id)) & mask;
            while (slots[slot] != 0)
            {
                slot = (slot + 1) & mask;
            }

            slots[slot] = id + 1;
        }

        _slots = slots;
    }
}
