namespace KvPrefetch.Engine.Requests;

/// <summary>A sequence's block table for one group of layers: token t lies in page <c>Pages[t / pageSize - First]</c> at <c>t % pageSize</c>. The scheduler alone changes it.</summary>
internal sealed class PageTable
{
    private const int FirstCapacity = 64;

    private int[] _pages = new int[FirstCapacity];
    private int _count;

    /// <summary>Pages before these that were given back, because no token can see them any more.</summary>
    public int First { get; private set; }

    /// <summary>Pages that the tokens so far have had, those included that were given back.</summary>
    public int End => First + _count;

    /// <summary>The pages held.</summary>
    public ReadOnlySpan<int> Pages => _pages.AsSpan(0, _count);

    internal void Add(int page)
    {
        if (_count == _pages.Length)
        {
            Array.Resize(ref _pages, 2 * _pages.Length);
        }

        _pages[_count++] = page;
    }

    /// <summary>Names another page with the same text in place of one.</summary>
    internal void Replace(int index, int page) => _pages[index - First] = page;

    /// <summary>Forgets pages before number <paramref name="first"/> of all that there have been.</summary>
    internal void DropBefore(int first)
    {
        var dropped = first - First;
        _pages.AsSpan(dropped, _count - dropped).CopyTo(_pages);
        (First, _count) = (first, _count - dropped);
    }

    /// <summary>Forgets everything.</summary>
    internal void Clear() => (First, _count) = (0, 0);
}
