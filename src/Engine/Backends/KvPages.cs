namespace KvPrefetch.Engine.Backends;

/// <summary>The paged key-value cache: per layer, one slab of keys and one of values per (page, KV head), <c>[page][kvHead][slab]</c>.
/// A slab holds <c>PageSize * HeadDim</c> elements; their order inside is the backend's own.</summary>
internal sealed class KvPages(DeviceBuffer[] keys, DeviceBuffer[] values, int pages, int pageSize, int kvHeads, int headDim) : IDisposable
{
    public int Layers => keys.Length;
    public int Pages => pages;

    /// <summary>Tokens per page.</summary>
    public int PageSize => pageSize;
    public int KvHeads => kvHeads;
    public int HeadDim => headDim;

    public DeviceBuffer Keys(int layer) => keys[layer];
    public DeviceBuffer Values(int layer) => values[layer];

    public void Dispose()
    {
        foreach (var buffer in keys.Concat(values))
        {
            buffer.Dispose();
        }
    }
}
