using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Models;

namespace KvPrefetch.Engine.Execution;

/// <summary>How much key-value cache there is and how long a sequence may become.</summary>
/// <param name="Pages">Pages of the pool.</param>
/// <param name="ContextLength">Tokens a sequence may reach, prompt and output.</param>
/// <param name="Bytes">What the pages take when all are in use.</param>
internal sealed record MemoryPlan(int Pages, int ContextLength, long Bytes)
{
    /// <summary>Tokens of a page.</summary>
    public const int PageSize = 16;

    /// <summary>Share of the memory this process may use that the cache takes when nothing is said. Pages cost memory only once they are used.</summary>
    private const double DefaultShare = 0.25;

    /// <param name="backend">Says what a page takes.</param>
    /// <param name="shape">The model's.</param>
    /// <param name="contextLength">Longest sequence asked for, in tokens; 0 takes what the model allows and the cache holds.</param>
    /// <param name="cacheBytes">Bytes of cache asked for; 0 takes a share of the memory.</param>
    /// <param name="maxSequences">Sequences that may run at once: more pages than these can fill are of no use.</param>
    /// <param name="log">Told when the context is less than the model's.</param>
    /// <exception cref="UnsupportedModelException">The context asked for is longer than the model's.</exception>
    /// <exception cref="KvCapacityException">Not even one page fits.</exception>
    public static MemoryPlan Make(IBackend backend, ModelShape shape, int contextLength, long cacheBytes, int maxSequences, Action<string>? log)
    {
        if (contextLength > shape.MaxPositions)
        {
            throw new UnsupportedModelException($"ContextLength {contextLength} is more than the model's max_position_embeddings, {shape.MaxPositions}.", "ContextLength");
        }

        var context = contextLength > 0 ? contextLength : shape.MaxPositions;
        var pageBytes = backend.KvPageBytes(shape.Layers, PageSize, shape.KvHeads, shape.HeadDim);
        var budget = cacheBytes > 0 ? cacheBytes : (long)(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes * DefaultShare);
        var wanted = ((context + (long)PageSize - 1) / PageSize) * maxSequences;
        var pages = (int)Math.Min(Math.Min(wanted, budget / pageBytes), int.MaxValue / 2);
        if (pages < 1)
        {
            throw new KvCapacityException($"A KV cache of {budget} bytes holds no page; a page of {PageSize} tokens takes {pageBytes} bytes in this model.");
        }

        var capacity = (int)Math.Min((long)pages * PageSize, int.MaxValue);
        if (contextLength == 0 && context > capacity)
        {
            log?.Invoke($"Context limited to {capacity} tokens of the model's {shape.MaxPositions}: that is what a KV cache of {budget} bytes holds.");
            context = capacity;
        }

        return new MemoryPlan(pages, context, pages * pageBytes);
    }
}
