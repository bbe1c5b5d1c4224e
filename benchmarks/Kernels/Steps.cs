using KvPrefetch.Engine.Backends;

namespace KvPrefetch.Benchmarks.Kernels;

/// <summary>Steps made by hand.</summary>
internal static class Steps
{
    /// <summary>One sequence, <paramref name="tokens"/> rows from position <paramref name="start"/>.</summary>
    public static StepInputs Of(IBackend backend, KvPages cache, StateSlots states, int tokens, int start)
    {
        Ints Upload(IEnumerable<int> values)
        {
            int[] all = [.. values];
            var buffer = backend.AllocateInts(all.Length);
            backend.Upload(all, buffer);
            return new Ints(buffer, 0);
        }

        return new StepInputs
        {
            TokenCount = tokens,
            SequenceCount = 1,
            SampleCount = 1,
            TokenIds = Upload(Enumerable.Repeat(1, tokens)),
            Positions = Upload(Enumerable.Range(start, tokens)),
            RotaryLengths = Upload(Enumerable.Range(start + 1, tokens)),
            RowStarts = Upload([0, tokens]),
            BlockTableStarts = Upload([0]),
            TableStride = 1,
            BlockTables = Upload(Enumerable.Range(0, cache.Pages(0))),
            SampleRows = Upload([tokens - 1]),
            Slots = Upload([0]),
            Pages = cache,
            States = states,
        };
    }
}
