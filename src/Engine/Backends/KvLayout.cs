namespace KvPrefetch.Engine.Backends;

/// <summary>What an attention layer keeps of every token.</summary>
/// <param name="KvHeads">Heads of keys and values.</param>
/// <param name="HeadDim">Elements of a key.</param>
/// <param name="Window">Tokens that a token sees, itself included; 0 sees all before it.</param>
internal readonly record struct KvLayer(int KvHeads, int HeadDim, int Window = 0)
{
    /// <summary>Elements of a value; 0 where values are a part of the keys.</summary>
    public int ValueDim { get; init; } = HeadDim;

    /// <summary>Elements of a page's keys.</summary>
    public long KeyElements(int pageSize) => checked((long)pageSize * KvHeads * HeadDim);

    /// <summary>Elements of a page's values.</summary>
    public long ValueElements(int pageSize) => checked((long)pageSize * KvHeads * ValueDim);
}

/// <summary>The key-value cache of a model, layer by layer. Layers that see equally far form a group: a sequence has one block table for each group, because what has left
/// a window is given back. A layer that uses an earlier layer's keys and values has none of its own here.</summary>
internal sealed class KvLayout
{
    private readonly int[] _groups;

    /// <param name="layers">Layers that keep something.</param>
    /// <param name="pageSize">Tokens per page.</param>
    public KvLayout(IReadOnlyList<KvLayer> layers, int pageSize)
    {
        (Layers, PageSize) = (layers, pageSize);

        // Without attention there is one group still: its pages cost nothing and count tokens.
        Windows = layers.Count == 0 ? [0] : [.. layers.Select(l => l.Window).Distinct().Order()];
        _groups = [.. layers.Select(l => Array.BinarySearch(Windows, l.Window))];
    }

    public IReadOnlyList<KvLayer> Layers { get; }

    /// <summary>Tokens per page.</summary>
    public int PageSize { get; }

    /// <summary>Window of each group, ascending; 0, which is first, sees everything.</summary>
    public int[] Windows { get; }

    /// <summary>The group of a layer.</summary>
    public int Group(int layer) => _groups[layer];

    /// <summary>Pages that so many tokens in a row touch at most.</summary>
    public long PagesToSee(int tokens) => ((tokens + PageSize - 2L) / PageSize) + 1;

    /// <summary>Bytes that a page of a group takes over its layers.</summary>
    public long PageBytes(IBackend backend, int group) => Layers.Where((_, i) => _groups[i] == group).Sum(layer => backend.KvPageBytes(layer, PageSize));

    /// <summary>Layers of one shape that see everything.</summary>
    public static KvLayout Uniform(int layers, int kvHeads, int headDim, int pageSize) => new([.. Enumerable.Repeat(new KvLayer(kvHeads, headDim), layers)], pageSize);
}
