namespace KvPrefetch.Engine.Requests;

/// <summary>What one step computes for one sequence: its tokens <c>Start</c> to <c>Start + Count</c>.</summary>
/// <param name="Sequence">Whose tokens.</param>
/// <param name="Start">Index of the first token; everything before it is computed.</param>
/// <param name="Count">Tokens to compute, at least one; the pages for them are in the sequence's table.</param>
/// <param name="Samples">True when the chunk reaches the last known token, so that the next one is sampled from its logits.</param>
internal readonly record struct BatchItem(Sequence Sequence, int Start, int Count, bool Samples);

/// <summary>What one step computes. Allocated once and refilled by the scheduler for each step: sequences that ran before, then those just admitted, each in the order of arrival. Any of them may have several tokens.</summary>
internal sealed class Batch(int maxItems)
{
    private readonly BatchItem[] _items = new BatchItem[maxItems];

    /// <summary>Sequences in this step; 0 when there is nothing to do.</summary>
    public int Count { get; private set; }

    /// <summary>Tokens of all items.</summary>
    public int TotalTokens { get; private set; }

    /// <summary>Items that sample a token.</summary>
    public int SampleCount { get; private set; }

    public ref readonly BatchItem this[int index] => ref _items.AsSpan(0, Count)[index];

    internal void Add(Sequence sequence, int count)
    {
        var samples = sequence.Computed + count == sequence.Count;
        _items[Count++] = new BatchItem(sequence, sequence.Computed, count, samples);
        TotalTokens += count;
        SampleCount += samples ? 1 : 0;
    }

    internal void Clear()
    {
        // Finished sequences must not live on in here.
        _items.AsSpan(0, Count).Clear();
        Count = TotalTokens = SampleCount = 0;
    }
}
