using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.KvCache;

/// <summary>
/// Which pages hold which tokens, for those who begin with the same ones. A page is found by the page before it and the tokens in it; as the page before was found in the same way, a page found is one
/// with exactly the tokens asked for, from the first on. Only full pages are here, so nobody ever writes to one. Numbers only, allocated once.
/// <para>A page that nobody holds stays until its place is needed: the one that was held longest ago goes first. Holders give their pages back from the last to the first, so that what goes first
/// is the end of a text and not its beginning.</para>
/// </summary>
internal sealed class PrefixIndex
{
    /// <summary>In place of the page before, for the first of a text.</summary>
    public const int Root = -1;

    private const int None = -1;

    private readonly int _pageSize;
    private readonly int[] _tokens;
    private readonly Key[] _keys;
    private readonly int[] _buckets;
    private readonly int[] _next;

    // Counts up when a page leaves: those behind it, which name it as the page before, are not found from then on.
    private readonly uint[] _versions;

    // Pages that nobody holds, as a ring of neighbours from the one held longest ago; the last element is the ring's own.
    private readonly int[] _older;
    private readonly int[] _newer;

    public PrefixIndex(int pages, int pageSize)
    {
        _pageSize = pageSize;
        _tokens = new int[checked(pages * pageSize)];
        _keys = new Key[pages];
        _next = new int[pages];
        _versions = new uint[pages];
        _buckets = new int[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)pages)];
        _buckets.AsSpan().Fill(None);
        (_older, _newer) = (new int[pages + 1], new int[pages + 1]);
        (_older[pages], _newer[pages]) = (pages, pages);
    }

    /// <summary>Pages that can be found.</summary>
    public int Count { get; private set; }

    private int Ring => _keys.Length;

    /// <summary>The page that holds these tokens behind another; -1 where there is none.</summary>
    /// <param name="before">The page before; <see cref="Root"/> for the first.</param>
    /// <param name="salt">Texts of another salt are not found.</param>
    /// <param name="tokens">A page's.</param>
    public int Find(int before, ulong salt, ReadOnlySpan<int> tokens)
    {
        var key = MakeKey(before, salt, tokens);
        for (var page = _buckets[Bucket(key)]; page != None; page = _next[page])
        {
            if (_keys[page] == key && tokens.SequenceEqual(Tokens(page)))
            {
                return page;
            }
        }

        return None;
    }

    /// <summary>Whether a page can be found, as the page before another or itself.</summary>
    public bool Contains(int page) => _keys[page].IsIn;

    /// <summary>Adds a page that somebody holds. It and its tokens are not there yet.</summary>
    public void Add(int page, int before, ulong salt, ReadOnlySpan<int> tokens)
    {
        var key = MakeKey(before, salt, tokens);
        tokens.CopyTo(Tokens(page));
        _keys[page] = key;
        var bucket = Bucket(key);
        (_next[page], _buckets[bucket]) = (_buckets[bucket], page);
        Count++;
    }

    /// <summary>A page that can be found no longer, nor what is behind it.</summary>
    public void Remove(int page)
    {
        ref var place = ref _buckets[Bucket(_keys[page])];
        while (place != page)
        {
            place = ref _next[place];
        }

        place = _next[page];
        _keys[page] = default;
        _versions[page]++;
        Count--;
    }

    /// <summary>Nobody holds the page any more; of those, it is the last to go.</summary>
    public void Leave(int page)
    {
        (_older[page], _newer[page]) = (_older[Ring], Ring);
        _newer[_older[Ring]] = page;
        _older[Ring] = page;
    }

    /// <summary>Somebody holds the page again.</summary>
    public void Return(int page)
    {
        _newer[_older[page]] = _newer[page];
        _older[_newer[page]] = _older[page];
    }

    /// <summary>Gives up the page that nobody has held for longest; -1 where every page is held.</summary>
    public int Evict()
    {
        var page = _newer[Ring];
        if (page == Ring)
        {
            return None;
        }

        Return(page);
        Remove(page);
        return page;
    }

    private Span<int> Tokens(int page) => _tokens.AsSpan(page * _pageSize, _pageSize);

    private Key MakeKey(int before, ulong salt, ReadOnlySpan<int> tokens)
    {
        // Seeded anew in each process: nobody can make texts that collide.
        var hash = default(HashCode);
        var version = before == Root ? 0 : _versions[before];
        hash.Add(before);
        hash.Add(version);
        hash.Add(salt);
        hash.AddBytes(MemoryMarshal.AsBytes(tokens));
        return new Key(IsIn: true, before, version, salt, hash.ToHashCode());
    }

    private int Bucket(in Key key) => key.Hash & (_buckets.Length - 1);

    private readonly record struct Key(bool IsIn, int Before, uint Version, ulong Salt, int Hash);
}
