namespace KvPrefetch.Engine.Backends;

/// <summary>The paged key-value cache: per layer, one slab of keys and one of values per (page, KV head), <c>[page][kvHead][slab]</c>, as many heads as the layer has.
/// A slab of keys holds <c>PageSize * HeadDim</c> elements, one of values <c>PageSize * ValueDim</c>; their order inside is the backend's own.</summary>
/// <param name="layout">What the layers keep.</param>
/// <param name="keys">For each layer.</param>
/// <param name="values">For each layer.</param>
/// <param name="pages">Pages of each group of the layout.</param>
internal sealed class KvPages(KvLayout layout, DeviceBuffer[] keys, DeviceBuffer[] values, IReadOnlyList<int> pages) : IDisposable
{
    public KvLayout Layout => layout;
    public int Layers => keys.Length;

    /// <summary>Tokens per page.</summary>
    public int PageSize => layout.PageSize;

    /// <summary>Pages of a group of layers.</summary>
    public int Pages(int group) => pages[group];

    /// <summary>Pages of all groups.</summary>
    public int TotalPages => pages.Sum();

    public DeviceBuffer Keys(int layer) => keys[layer];
    public DeviceBuffer Values(int layer) => values[layer];

    /// <summary>In host memory, as float32.</summary>
    public static KvPages OnHost(KvLayout layout, IReadOnlyList<int> pages)
    {
        DeviceBuffer[] Slabs(Func<KvLayer, long> elements) =>
            [.. layout.Layers.Select((layer, i) => DeviceBuffer.OnHost(Numerics.DType.F32, checked(elements(layer) * pages[layout.Group(i)])))];

        return new KvPages(layout, Slabs(l => l.KeyElements(layout.PageSize)), Slabs(l => l.ValueElements(layout.PageSize)), pages);
    }

    public void Dispose()
    {
        foreach (var buffer in keys.Concat(values))
        {
            buffer.Dispose();
        }
    }
}
