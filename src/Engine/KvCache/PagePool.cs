namespace KvPrefetch.Engine.KvCache;

/// <summary>Which pages of the key-value cache are free, and who owns the others: numbers only, the memory lies with the backend. Every page may be handed out,
/// page 0 too. A page that is freed twice, or by someone else than its owner, means a corrupt cache: that is refused at once.
/// <para>Full pages may be shared by all who begin with the same tokens (<see cref="PrefixIndex"/>). Sharing saves computing, not room: a page counts once for each who holds it, so that block tables
/// together never name more pages than there are. Shared pages that nobody holds count as free, and their place is taken when it is needed.</para></summary>
internal sealed class PagePool
{
    private const long Nobody = long.MinValue;
    private const long Shared = long.MinValue + 1;

    private readonly int[] _free;
    private readonly long[] _owner;
    private readonly PrefixIndex? _prefixes;
    private readonly int[] _holders;
    private int _freeCount;

    /// <param name="pages">Pages in the cache, numbered from 0.</param>
    /// <param name="pageSize">Tokens a page holds.</param>
    /// <param name="window">Tokens that a token sees in the layers of these pages, itself included; 0 sees all before it.</param>
    /// <param name="sharesPrefixes">Full pages can be shared; not with a window.</param>
    public PagePool(int pages, int pageSize, int window = 0, bool sharesPrefixes = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(window);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pages);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(pageSize);
        PageSize = pageSize;
        Window = window;
        FreeCount = _freeCount = pages;
        SharesPrefixes = sharesPrefixes && window == 0;
        _prefixes = SharesPrefixes ? new PrefixIndex(pages, pageSize) : null;
        _holders = new int[SharesPrefixes ? pages : 0];
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

    /// <summary>Pages that can be had.</summary>
    public int FreeCount { get; private set; }

    /// <summary>Pages held; one that several hold counts for each.</summary>
    public int UsedCount => TotalCount - FreeCount;

    public bool SharesPrefixes { get; }

    /// <summary>Pages whose tokens can be found, held or not.</summary>
    public int CachedCount => _prefixes?.Count ?? 0;

    /// <summary>Tokens that a sequence by itself can reach: a longer prompt can never run. What has left the window is given back, so with room for one window there is no end.</summary>
    public long TokenCapacity => Window > 0 && TotalCount >= PagesToSee(Window) ? long.MaxValue : (long)TotalCount * PageSize;

    /// <summary>The pages with nothing in them, in no particular order.</summary>
    internal ReadOnlySpan<int> Free => _free.AsSpan(0, _freeCount);

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
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(owner, Shared);
        if (FreeCount == 0)
        {
            return -1;
        }

        // One is free, or not held by anybody: fewer are held than there are.
        var page = _freeCount > 0 ? _free[_freeCount - 1] : _prefixes!.Evict();
        if (_freeCount > 0)
        {
            if (_owner[page] != Nobody)
            {
                throw new InvalidOperationException($"KV page {page} is on the free list but belongs to sequence {_owner[page]}.");
            }

            _freeCount--;
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

        if (_owner[page] == Shared && _holders[page] > 0)
        {
            FreeCount++;
            if (--_holders[page] > 0)
            {
                return;
            }

            if (_prefixes!.Contains(page))
            {
                _prefixes.Leave(page);
                return;
            }
        }
        else if (_owner[page] == owner)
        {
            FreeCount++;
        }
        else
        {
            throw new InvalidOperationException(_owner[page] is Nobody or Shared
                ? $"KV page {page} was freed twice, the second time by sequence {owner}."
                : $"KV page {page} belongs to sequence {_owner[page]} and was freed by sequence {owner}.");
        }

        _owner[page] = Nobody;
        _free[_freeCount++] = page;
    }

    /// <summary>The shared page that holds these tokens behind another; -1 where there is none. Nothing changes.</summary>
    /// <param name="before">The page before, or <see cref="PrefixIndex.Root"/>.</param>
    /// <param name="salt">Texts of another salt are not found.</param>
    /// <param name="tokens">A page's.</param>
    public int Find(int before, ulong salt, ReadOnlySpan<int> tokens) => _prefixes?.Find(before, salt, tokens) ?? -1;

    /// <summary>Holds a page that was found. There is room: <see cref="FreeCount"/> is above zero.</summary>
    public void Hold(int page)
    {
        if (_owner[page] != Shared || FreeCount == 0)
        {
            throw new InvalidOperationException($"KV page {page} is not shared, or there is no room for one who holds it: {FreeCount} are free.");
        }

        FreeCount--;
        if (_holders[page]++ == 0)
        {
            _prefixes!.Return(page);
        }
    }

    /// <summary>A sequence has filled its page: from now on others may hold it too. Returns the page that it holds from now on, which is another where one with the same text was there before.</summary>
    /// <param name="page">The sequence's own.</param>
    /// <param name="owner">The sequence.</param>
    /// <param name="before">The page before in its table, or <see cref="PrefixIndex.Root"/>.</param>
    /// <param name="salt">Only texts of the same salt share.</param>
    /// <param name="tokens">What the page holds.</param>
    public int Share(int page, long owner, int before, ulong salt, ReadOnlySpan<int> tokens)
    {
        // Behind a page that was forgotten, or in a text that goes on from one, nothing can be found.
        if (_prefixes is null || _owner[page] != owner || (before != PrefixIndex.Root && !_prefixes.Contains(before)))
        {
            return page;
        }

        if (_prefixes.Find(before, salt, tokens) is >= 0 and var known)
        {
            Release(page, owner);
            Hold(known);
            return known;
        }

        _prefixes.Add(page, before, salt, tokens);
        (_owner[page], _holders[page]) = (Shared, 1);
        return page;
    }

    /// <summary>Nobody may find this page any more: what lies in it is not to be trusted. Those who hold it keep it.</summary>
    public void Forget(int page)
    {
        if (_prefixes is not null && _owner[page] == Shared && _prefixes.Contains(page))
        {
            _prefixes.Remove(page);
        }
    }

    /// <summary>True when this owner holds the page, perhaps among others.</summary>
    internal bool IsOwnedBy(int page, long owner) => (uint)page < (uint)_owner.Length && owner != Nobody && (_owner[page] == owner || (_owner[page] == Shared && _holders[page] > 0));

    /// <summary>Those who hold a page.</summary>
    internal int Holders(int page) => _owner[page] == Nobody ? 0 : _owner[page] == Shared ? _holders[page] : 1;
}
