using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Models;

namespace KvPrefetch.Engine.Execution;

/// <summary>How much memory sequences have, how many may run and how long one may become.</summary>
/// <param name="Layout">What layers keep.</param>
/// <param name="Pages">Pages of each of its groups.</param>
/// <param name="ContextLength">Tokens a sequence may reach, prompt and output.</param>
/// <param name="Sequences">Sequences that may run at once; each has a state slot.</param>
/// <param name="Bytes">What pages and states take when all are in use.</param>
internal sealed record MemoryPlan(KvLayout Layout, int[] Pages, int ContextLength, int Sequences, long Bytes)
{
    /// <summary>Tokens of a page.</summary>
    public const int PageSize = 16;

    /// <param name="backend">Says what a page takes.</param>
    /// <param name="shape">The model's.</param>
    /// <param name="contextLength">Longest sequence asked for, in tokens; 0 takes what the model allows and the cache holds.</param>
    /// <param name="cacheBytes">Bytes of cache asked for; 0 takes a share of the memory.</param>
    /// <param name="maxSequences">Sequences that may run at once: more pages than these can fill are of no use.</param>
    /// <param name="maxTokens">Tokens of the largest step.</param>
    /// <param name="log">Told when the context is less than the model's.</param>
    /// <exception cref="UnsupportedModelException">The context asked for is longer than the model's.</exception>
    /// <exception cref="KvCapacityException">Not even one page fits.</exception>
    public static MemoryPlan Make(IBackend backend, ModelShape shape, int contextLength, long cacheBytes, int maxSequences, int maxTokens, Action<string>? log)
    {
        if (contextLength > shape.MaxPositions)
        {
            throw new UnsupportedModelException($"ContextLength {contextLength} is more than the model's max_position_embeddings, {shape.MaxPositions}.", "ContextLength");
        }

        var context = contextLength > 0 ? contextLength : shape.MaxPositions;
        var layout = new KvLayout(shape.Cache, PageSize);
        long[] bytes = [.. layout.Windows.Select((_, group) => layout.PageBytes(backend, group))];
        var budget = cacheBytes > 0 ? cacheBytes : backend.CacheBudget;
        var sequences = FitSequences(budget, bytes.Sum(), StateSlots.SlotBytes(shape.States), maxSequences, log);
        var stateBytes = sequences * StateSlots.SlotBytes(shape.States);
        var wanted = (int)Math.Min(((context + (long)PageSize - 1) / PageSize) * sequences, int.MaxValue / 2);

        // All sequences together never hold more of a windowed group: their windows, and what a step adds before it gives back.
        int Most(int window, int pages) => window == 0 ? pages : (int)Math.Min(pages, (sequences * (layout.PagesToSee(window) + 1)) + layout.PagesToSee(maxTokens));
        long Bytes(int pages) => layout.Windows.Zip(bytes, (window, each) => Most(window, pages) * each).Sum();

        // The most pages that fit. Without attention a page costs nothing: it only counts tokens.
        var (pages, above) = (0, wanted + 1);
        while (above - pages > 1)
        {
            var middle = pages + ((above - pages) / 2);
            (pages, above) = Bytes(middle) <= budget - stateBytes ? (middle, above) : (pages, middle);
        }

        if (pages < 1)
        {
            throw new KvCapacityException($"A KV cache of {budget} bytes holds no page; a page of {PageSize} tokens takes {bytes.Sum()} bytes in this model, a sequence {stateBytes / sequences} bytes of state.");
        }

        int[] each = [.. layout.Windows.Select(window => Most(window, pages))];
        var capacity = layout.Windows.Zip(each, (window, count) => window > 0 && count >= layout.PagesToSee(window) ? int.MaxValue : (int)Math.Min((long)count * PageSize, int.MaxValue)).Min();
        if (contextLength == 0 && context > capacity)
        {
            log?.Invoke($"Context limited to {capacity} tokens of the model's {shape.MaxPositions}: that is what a KV cache of {budget} bytes holds.");
            context = capacity;
        }

        return new MemoryPlan(layout, each, context, sequences, Bytes(pages) + stateBytes);
    }

    /// <summary>Sequences whose states fit into half of the budget, or into all of it where there are no pages.</summary>
    private static int FitSequences(long budget, long pageBytes, long slotBytes, int maxSequences, Action<string>? log)
    {
        if (slotBytes == 0)
        {
            return maxSequences;
        }

        var fit = (pageBytes == 0 ? budget : budget / 2) / slotBytes;
        if (fit < 1)
        {
            throw new KvCapacityException($"A KV cache of {budget} bytes holds no sequence; each has {slotBytes} bytes of state in this model.");
        }

        if (fit < maxSequences)
        {
            log?.Invoke($"{fit} sequences may run at once, not {maxSequences}: each has {slotBytes} bytes of state, for which a KV cache of {budget} bytes has room.");
        }

        return (int)Math.Min(fit, maxSequences);
    }
}
