using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>A growing list of integers that is cleared, never shrunk; scratch of one encoding thread.</summary>
internal sealed class IntList
{
    private int[] _items = new int[256];

    public int Count { get; private set; }

    public ReadOnlySpan<int> Span => _items.AsSpan(0, Count);

    public ref int this[int index] => ref _items[index];

    public void Clear() => Count = 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(int value)
    {
        var items = _items;
        var count = Count;
        if ((uint)count >= (uint)items.Length)
        {
            items = Grow(count + 1);
        }

        items[count] = value;
        Count = count + 1;
    }

    public void Truncate(int count) => Count = count;

    public void AddRange(ReadOnlySpan<int> values) => values.CopyTo(AppendSpan(values.Length));

    /// <summary>Room for <paramref name="length"/> more values, already counted.</summary>
    public Span<int> AppendSpan(int length)
    {
        var count = Count;
        if (checked(count + length) > _items.Length)
        {
            Grow(count + length);
        }

        Count = count + length;
        return _items.AsSpan(count, length);
    }

    private int[] Grow(int needed)
    {
        Array.Resize(ref _items, Math.Max(needed, checked(_items.Length * 2)));
        return _items;
    }
}
