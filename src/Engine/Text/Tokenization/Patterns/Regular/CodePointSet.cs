using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>A set of code points: pages of 256 bits, equal pages kept once. Immutable.</summary>
internal sealed class CodePointSet
{
    private const int WordsPerPage = 4;
    private readonly ushort[] _pageOf;
    private readonly ulong[] _pages;

    internal CodePointSet(ulong[] words)
    {
        _pageOf = new ushort[CodePoints.Limit >> 8];
        var pages = new List<ulong>();
        var known = new Dictionary<(ulong, ulong, ulong, ulong), ushort>();
        for (var page = 0; page < _pageOf.Length; page++)
        {
            var at = page * WordsPerPage;
            var key = (words[at], words[at + 1], words[at + 2], words[at + 3]);
            if (!known.TryGetValue(key, out var index))
            {
                index = (ushort)known.Count;
                known.Add(key, index);
                pages.AddRange(words.AsSpan(at, WordsPerPage));
            }

            _pageOf[page] = index;
        }

        _pages = [.. pages];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Contains(int codePoint)
        => ((_pages[(_pageOf[codePoint >> 8] * WordsPerPage) + ((codePoint >> 6) & (WordsPerPage - 1))] >> (codePoint & 63)) & 1) != 0;
}

/// <summary>A set of code points while it is put together: one bit each.</summary>
internal sealed class CodePointBits
{
    private readonly ulong[] _words = new ulong[CodePoints.Limit >> 6];

    public static CodePointBits OfMask(uint mask)
    {
        var bits = new CodePointBits();
        var categories = CodePoints.Categories;
        for (var c = 0; c < categories.Length; c++)
        {
            if (((mask >> categories[c]) & 1) != 0)
            {
                bits.Add(c);
            }
        }

        return bits;
    }

    public void Add(int codePoint) => _words[codePoint >> 6] |= 1UL << (codePoint & 63);

    public void AddRange(int first, int last)
    {
        for (var c = first; c <= last; c++)
        {
            Add(c);
        }
    }

    public bool Contains(int codePoint) => ((_words[codePoint >> 6] >> (codePoint & 63)) & 1) != 0;

    public void UnionWith(CodePointBits other)
    {
        for (var i = 0; i < _words.Length; i++)
        {
            _words[i] |= other._words[i];
        }
    }

    public void IntersectWith(CodePointBits other)
    {
        for (var i = 0; i < _words.Length; i++)
        {
            _words[i] &= other._words[i];
        }
    }

    public void Invert()
    {
        for (var i = 0; i < _words.Length; i++)
        {
            _words[i] = ~_words[i];
        }
    }

    /// <summary>Adds what differs from a member by case only.</summary>
    public void CloseOverCase()
    {
        foreach (var group in CaseFolding.Groups)
        {
            if (group.Any(Contains))
            {
                foreach (var c in group)
                {
                    Add(c);
                }
            }
        }
    }

    public CodePointSet ToSet() => new(_words);
}
