namespace KvPrefetch.Engine.KvCache;

/// <summary>Which pages of the key-value cache are free, and who owns the others: numbers only, the memory lies with the backend. Every page may be handed out,
/// page 0 too. A page that is freed twice, or by someone else than its owner, means a corrupt cache: that is refused at once.</summary>
internal sealed class PagePool
{
    private const long Nobody = long.MinValue;

    private readonly int[] _free;
    private readonly long[] _owner;

    /// <param name="pages">Pages in the cache, numbered from 0.</param>
    /// <param name="pageSize">Tokens a page holds.</param>
    /// <param name="window">Tokens that a token sees in the layers of these pages, itself included; 0 sees all before it.</param>
    public PagePool(int pages, int pageSize, int window = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(window);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pages);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pageSize);
        PageSize = pageSize;
        Window = window;
        FreeCount = pages;
        _owner = new long[pages];
        _owner.AsSpan().Fill(Nobody);
        _free = new int[pages];
        for (var i = 0; i < pages; i++)
        {
            // The top of the stack is the lowest page.
            _free[i] = pages - 1 - i;
        }
    }

    /// <summary>Tokens a page holds.</summary>
    public int PageSize { get; }

    /// <summary>Tokens that a token sees in the layers of these pages, itself included; 0 sees all before it.</summary>
    public int Window { get; }

    public int TotalCount => _owner.Length;

    public int FreeCount { get; private set; }

    public int UsedCount => TotalCount - FreeCount;

    /// <summary>Tokens that a sequence by itself can reach: a longer prompt can never run. What has left the window is given back, so with room for one window there is no end.</summary>
    public long TokenCapacity => Window > 0 && TotalCount >= PagesToSee(Window) ? long.MaxValue : (long)TotalCount * PageSize;

    /// <summary>The free pages, in no particular order.</summary>
    internal ReadOnlySpan<int> Free => _free.AsSpan(0, FreeCount);

    /// <summary>Pages that this many tokens take.</summary>
    public int PagesFor(int tokens) => (int)(((long)tokens + PageSize - 1) / PageSize);

    /// <summary>Pages that a sequence of this many tokens needs to compute them, up to <paramref name="chunk"/> in a step.</summary>
    public int PagesToCompute(int tokens, int chunk) => Window == 0 ? PagesFor(tokens) : (int)Math.Min(PagesFor(tokens), PagesToSee(Window - 1L + chunk));

    /// <summary>Number of the first page that the token at this position, or a later one, can see.</summary>
    public int FirstVisible(int position) => Window == 0 ? 0 : Math.Max(0, position - Window + 1) / PageSize;

    /// <summary>Pages that so many tokens in a row touch at most.</summary>
    private long PagesToSee(long tokens) => ((tokens + PageSize - 2) / PageSize) + 1;

    /// <summary>Takes a page for this owner; -1 when none is free.</summary>
    public int Allocate(long owner)
    {
        ArgumentOutOfRangeException.ThrowIfEqual(owner, Nobody);
        if (FreeCount == 0)
        {
            return -1;
        }

        var page = _free[FreeCount - 1];
        if (_owner[page] != Nobody)
        {
            throw new InvalidOperationException($"KV page {page} is on the free list but belongs to sequence {_owner[page]}.");
        }

        FreeCount--;
        _owner[page] = owner;
        return page;
    }

    /// <summary>Gives a page back. Throws <see cref="InvalidOperationException"/> if it is not this owner's.</summary>
    public void Release(int page, long owner)
    {
        if ((uint)page >= (uint)_owner.Length)
        {
            throw new InvalidOperationException($"KV page {page} does not exist; there are {_owner.Length}.");
        }

        if (_owner[page] != owner)
        {
            throw new InvalidOperationException(_owner[page] == Nobody
                ? $"KV page {page} was freed twice, the second time by sequence {owner}."
                : $"KV page {page} belongs to sequence {_owner[page]} and was freed by sequence {owner}.");
        }

        _owner[page] = Nobody;
        _free[FreeCount++] = page;
    }

    /// <summary>True when this owner holds the page.</summary>
    internal bool IsOwnedBy(int page, long owner) => (uint)page < (uint)_owner.Length && _owner[page] == owner && owner != Nobody;
}
