using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>A piece of a text: chars from <paramref name="Start"/> up to <paramref name="End"/>.</summary>
internal readonly record struct Piece(int Start, int End)
{
    public int Length => End - Start;
}

/// <summary>A growing list of pieces; scratch of one encoding thread.</summary>
internal sealed class PieceList
{
    private Piece[] _items = new Piece[64];

    public int Count { get; private set; }

    public ReadOnlySpan<Piece> Span => _items.AsSpan(0, Count);

    public ref Piece this[int index] => ref _items[index];

    public void Clear() => Count = 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(int start, int end)
    {
        var items = _items;
        var count = Count;
        if ((uint)count >= (uint)items.Length)
        {
            Array.Resize(ref _items, items.Length * 2);
            items = _items;
        }

        items[count] = new Piece(start, end);
        Count = count + 1;
    }
}
