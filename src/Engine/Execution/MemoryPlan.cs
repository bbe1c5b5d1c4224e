using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Models;

namespace KvPrefetch.Engine.Execution;

/// <summary>How much memory sequences have, how many may run and how long one may become.</summary>
/// <param name="Pages">Pages of the pool.</param>
/// <param name="ContextLength">Tokens a sequence may reach, prompt and output.</param>
/// <param name="Sequences">Sequences that may run at once; each has a state slot.</param>
/// <param name="Bytes">What pages and states take when all are in use.</param>
internal sealed record MemoryPlan(int Pages, int ContextLength, int Sequences, long Bytes)
{
    /// <summary>Tokens of a page.</summary>
    public const int PageSize = 16;

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
        var pageBytes = shape.Cache.Sum(layer => backend.KvPageBytes(layer, PageSize));
        var budget = cacheBytes > 0 ? cacheBytes : backend.CacheBudget;
        var sequences = FitSequences(budget, pageBytes, StateSlots.SlotBytes(shape.States), maxSequences, log);
        var stateBytes = sequences * StateSlots.SlotBytes(shape.States);
        var wanted = Math.Min(((context + (long)PageSize - 1) / PageSize) * sequences, int.MaxValue / 2);

        // Without attention a page costs nothing: it only counts tokens.
        var pages = (int)(pageBytes == 0 ? wanted : Math.Min(wanted, (budget - stateBytes) / pageBytes));
        if (pages < 1)
        {
            throw new KvCapacityException($"A KV cache of {budget} bytes holds no page; a page of {PageSize} tokens takes {pageBytes} bytes in this model, a sequence {stateBytes / sequences} bytes of state.");
        }

        var capacity = (int)Math.Min((long)pages * PageSize, int.MaxValue);
        if (contextLength == 0 && context > capacity)
        {
            log?.Invoke($"Context limited to {capacity} tokens of the model's {shape.MaxPositions}: that is what a KV cache of {budget} bytes holds.");
            context = capacity;
        }

        return new MemoryPlan(pages, context, sequences, (pages * pageBytes) + stateBytes);
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
