using KvPrefetch.Engine.KvCache;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Engine.Scheduling;

/// <summary>
/// Decides what the next step computes. A pure state machine: no device, no clock, no locks, no randomness, and nothing allocated per step.
/// <para>
/// Every step takes one token of each running sequence that decodes, and fills what is left of the token budget with prompt chunks, first come, first served.
/// At most as many sequences run as a step has tokens, so each that runs has a token in every step: a long prompt cannot hold up decodes, nor they the prompt.
/// Tokens that are certain without the model (<see cref="Extend"/>) are computed in chunks too, up to what leaves one token for each that runs later.
/// A sequence that runs holds one state slot, of which there are as many as may run; it is given back with the pages.
/// A sequence is admitted when everything before it is admitted and, beyond its own pages, one page for each that runs is free. Nobody overtakes, so a stream of
/// short requests cannot starve a long one. It follows that sequences run in the order of arrival and that only the latest can have a prompt that waits for pages.
/// </para>
/// <para>
/// When a page is missing, the latest running sequence gives up its pages and goes back to the head of the queue with all its tokens; they are computed again
/// when it returns, as far as its pages were shared and are taken meanwhile (<see cref="PagePool"/>). Layers with a window have pages of their own, of which a sequence gives back what the window has passed. The latest itself waits with its pages for one to become free. The oldest therefore advances in every step. When it runs alone and the whole
/// pool is its own, it cannot grow further: it ends with <see cref="FinishReason.Length"/> and the tokens it has.
/// </para>
/// </summary>
internal sealed class Scheduler
{
    private readonly PagePool[] _pools;
    private readonly SlotPool _slots;
    private readonly bool _sharesPrefixes;
    private readonly int _maxBatchTokens;
    private readonly Sequence?[] _running;
    private readonly SequenceQueue _waiting = new();
    private readonly Batch _batch;
    private bool _uncommitted;

    /// <param name="pool">The pages of a model whose layers all see equally far.</param>
    /// <param name="maxSequences">Sequences that may run at once.</param>
    /// <param name="maxBatchTokens">Tokens that one step may compute.</param>
    public Scheduler(PagePool pool, int maxSequences, int maxBatchTokens) : this([pool], maxSequences, maxBatchTokens)
    {
    }

    /// <param name="pools">The pages of each group of layers; the scheduler alone takes and returns them.</param>
    /// <param name="maxSequences">Sequences that may run at once.</param>
    /// <param name="maxBatchTokens">Tokens that one step may compute.</param>
    public Scheduler(IReadOnlyList<PagePool> pools, int maxSequences, int maxBatchTokens)
    {
        ArgumentOutOfRangeException.ThrowIfZero(pools.Count, nameof(pools));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxSequences);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxBatchTokens);
        _pools = [.. pools];
        _sharesPrefixes = _pools.Length == 1 && _pools[0].SharesPrefixes;
        _maxBatchTokens = maxBatchTokens;
        _running = new Sequence?[Math.Min(maxSequences, maxBatchTokens)];
        _slots = new SlotPool(_running.Length);
        _batch = new Batch(_running.Length);
    }

    /// <summary>Sequences that are admitted; they hold pages.</summary>
    public int RunningCount { get; private set; }

    /// <summary>Sequences that wait for admission; they hold none.</summary>
    public int WaitingCount => _waiting.Count;

    /// <summary>State slots that nobody holds.</summary>
    public int FreeSlots => _slots.FreeCount;

    /// <summary>Tokens of prompts that were found computed, since the start.</summary>
    public long PrefixHitTokens { get; private set; }

    /// <summary>Times a sequence had to give up its pages, since the start.</summary>
    public long Preemptions { get; private set; }

    /// <summary>Puts a sequence at the end of the queue. One that has ended already (cancelled before it came here) is left out.</summary>
    public void Add(Sequence sequence)
    {
        ArgumentNullException.ThrowIfNull(sequence);
        if (sequence.IsScheduled)
        {
            throw new InvalidOperationException($"Sequence {sequence.Id} was added twice.");
        }

        sequence.IsScheduled = true;
        sequence.MakeTables(_pools.Length);
        if (!sequence.IsFinished)
        {
            // Room for everything that runs too: it may have to come back here in a step.
            _waiting.Reserve(_waiting.Count + 1 + _running.Length);
            _waiting.AddLast(sequence);
        }
    }

    /// <summary>Ends a sequence in whatever state it is; its pages are free when this returns. Nothing happens to one that has ended.</summary>
    public void Cancel(Sequence sequence) => End(sequence, FinishReason.Cancelled);

    /// <summary>As <see cref="Cancel"/>, for a sequence that failed. Nobody finds its pages from now on: what made it fail may lie in them.</summary>
    public void Fail(Sequence sequence)
    {
        ArgumentNullException.ThrowIfNull(sequence);
        if (!sequence.IsFinished)
        {
            foreach (var page in sequence.Pages)
            {
                _pools[0].Forget(page);
            }
        }

        End(sequence, FinishReason.Error);
    }

    /// <summary>What to compute now. The same object each time; it is valid until the next call. A batch that is not empty must be committed first.</summary>
    public Batch Next()
    {
        if (_uncommitted)
        {
            throw new InvalidOperationException("The batch before was not committed.");
        }

        _batch.Clear();
        var budget = _maxBatchTokens;
        for (var i = 0; i < RunningCount; i++)
        {
            // A token is left for each that comes later.
            var sequence = _running[i]!;
            var tokens = Reserve(sequence, i, budget - (RunningCount - 1 - i));
            if (tokens > 0)
            {
                _batch.Add(sequence, tokens);
            }
            else if (RunningCount == 1)
            {
                End(sequence, FinishReason.Length);
                break;
            }

            budget -= tokens;
        }

        Admit(budget);
        _uncommitted = _batch.Count > 0;
        return _batch;
    }

    /// <summary>Records what a step computed: the tokens count as computed, sampled ones are appended, and what has ended returns its pages.
    /// A sequence that was cancelled or failed since <see cref="Next"/> is skipped.</summary>
    /// <param name="batch">What <see cref="Next"/> gave.</param>
    /// <param name="tokens">One token for each item that samples, in the order of the items; that of a skipped sequence may be anything.</param>
    public void Commit(Batch batch, ReadOnlySpan<int> tokens)
    {
        if (!ReferenceEquals(batch, _batch) || !_uncommitted)
        {
            throw new InvalidOperationException("This batch is not the one to be committed.");
        }

        if (tokens.Length != batch.SampleCount)
        {
            throw new ArgumentException($"The batch samples {batch.SampleCount} tokens; {tokens.Length} were given.", nameof(tokens));
        }

        _uncommitted = false;
        var sampled = 0;
        for (var i = 0; i < batch.Count; i++)
        {
            ref readonly var item = ref batch[i];
            var token = item.Samples ? tokens[sampled++] : -1;
            if (item.Sequence.IsFinished)
            {
                continue;
            }

            item.Sequence.Advance(item.Count);
            ShareFull(item.Sequence, item.Start);
            GiveBackUnseen(item.Sequence);
            if (item.Samples)
            {
                item.Sequence.Append(token);
            }
        }

        RemoveFinished();
    }

    /// <summary>Appends tokens that are certain without the model, between steps: they are computed together with what is not computed yet, and the next token is sampled behind them.
    /// Those beyond a stop token or the sequence's length are left out.</summary>
    public void Extend(Sequence sequence, ReadOnlySpan<int> tokens)
    {
        if (_uncommitted)
        {
            throw new InvalidOperationException("A batch is running; tokens are appended between steps.");
        }

        foreach (var token in tokens)
        {
            if (sequence.IsFinished)
            {
                break;
            }

            sequence.Append(token);
        }

        if (sequence.IsFinished)
        {
            RemoveFinished();
        }
    }

    /// <summary>Admits from the head of the queue while tokens, places and pages last.</summary>
    private void Admit(int budget)
    {
        foreach (var pool in _pools)
        {
            if (RunningCount == 0 && pool.UsedCount > 0)
            {
                throw new InvalidOperationException($"Nothing runs, but {pool.UsedCount} KV pages are not free.");
            }
        }

        while (budget > 0 && _waiting.Count > 0 && RunningCount < _running.Length)
        {
            var sequence = _waiting.First;
            if (RunningCount > 0 && !HasRoom(sequence))
            {
                return;
            }

            _waiting.RemoveFirst();
            _running[RunningCount] = sequence;
            sequence.Slot = _slots.Allocate(sequence.Id);
            TakePrefix(sequence);
            var tokens = Reserve(sequence, RunningCount++, budget);
            _batch.Add(sequence, tokens);
            budget -= tokens;
        }
    }

    /// <summary>Holds the pages of the longest beginning of the sequence's tokens that is computed already. One token at least is left to compute, and a page for it.</summary>
    private void TakePrefix(Sequence sequence)
    {
        var (pool, table, before) = (_pools[0], sequence.Table(0), PrefixIndex.Root);
        if (_sharesPrefixes)
        {
            for (var most = Math.Min((sequence.Count - 1) / pool.PageSize, pool.FreeCount - 1); table.End < most; before = table.Pages[^1])
            {
                var page = pool.Find(before, sequence.CacheSalt, sequence.Tokens.Slice(table.End * pool.PageSize, pool.PageSize));
                if (page < 0)
                {
                    break;
                }

                pool.Hold(page);
                table.Add(page);
            }

            sequence.Advance(table.End * pool.PageSize);
        }

        if (sequence.CachedTokens < 0)
        {
            sequence.CachedTokens = Math.Min(sequence.Computed, sequence.PromptCount);
            PrefixHitTokens += sequence.CachedTokens;
        }
    }

    /// <summary>Others may use the pages that a step has filled.</summary>
    private void ShareFull(Sequence sequence, int start)
    {
        if (!_sharesPrefixes)
        {
            return;
        }

        var (pool, table) = (_pools[0], sequence.Table(0));
        for (var i = start / pool.PageSize; i < sequence.Computed / pool.PageSize; i++)
        {
            var (page, before) = (table.Pages[i], i == 0 ? PrefixIndex.Root : table.Pages[i - 1]);
            table.Replace(i, pool.Share(page, sequence.Id, before, sequence.CacheSalt, sequence.Tokens.Slice(i * pool.PageSize, pool.PageSize)));
        }
    }

    /// <summary>True when the pages for all of a sequence's tokens are free, and one more for each that runs.</summary>
    private bool HasRoom(Sequence sequence)
    {
        foreach (var pool in _pools)
        {
            if (pool.PagesToCompute(sequence.Count, _maxBatchTokens) + RunningCount > pool.FreeCount)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Takes the pages for up to <paramref name="limit"/> uncomputed tokens of a running sequence: for the first of them, if need be, from those that came later; for the others as far as pages are free.
    /// Returns how many tokens have a page.</summary>
    private int Reserve(Sequence sequence, int index, int limit)
    {
        var wanted = Math.Min(sequence.Count - sequence.Computed, limit);
        while (wanted > 0 && Reachable(sequence, 1) < 1 && RunningCount - 1 > index)
        {
            PreemptLast();
        }

        wanted = Reachable(sequence, wanted);
        for (var g = 0; g < _pools.Length; g++)
        {
            var table = sequence.Table(g);
            while (table.End < _pools[g].PagesFor(sequence.Computed + wanted))
            {
                table.Add(_pools[g].Allocate(sequence.Id));
            }
        }

        return wanted;
    }

    /// <summary>Of the tokens wanted next, how many have a page in every group of layers or could take one that is free.</summary>
    private int Reachable(Sequence sequence, int wanted)
    {
        for (var g = 0; g < _pools.Length; g++)
        {
            wanted = (int)Math.Min(wanted, (((long)sequence.Table(g).End + _pools[g].FreeCount) * _pools[g].PageSize) - sequence.Computed);
        }

        return wanted;
    }

    /// <summary>Gives back the pages that no token to come can see.</summary>
    private void GiveBackUnseen(Sequence sequence)
    {
        for (var g = 0; g < _pools.Length; g++)
        {
            var (table, first) = (sequence.Table(g), _pools[g].FirstVisible(sequence.Computed));
            if (first > table.First)
            {
                foreach (var page in table.Pages[..(first - table.First)])
                {
                    _pools[g].Release(page, sequence.Id);
                }

                table.DropBefore(first);
            }
        }
    }

    private void PreemptLast()
    {
        var sequence = _running[--RunningCount]!;
        _running[RunningCount] = null;
        ReleaseMemory(sequence);
        _waiting.AddFirst(sequence);
        Preemptions++;
    }

    private void End(Sequence sequence, FinishReason reason)
    {
        ArgumentNullException.ThrowIfNull(sequence);
        if (sequence.IsFinished)
        {
            return;
        }

        sequence.End(reason);
        if (!_waiting.Remove(sequence))
        {
            RemoveFinished();
        }
    }

    /// <summary>Takes what has ended out of the running sequences, whose order stays.</summary>
    private void RemoveFinished()
    {
        var kept = 0;
        for (var i = 0; i < RunningCount; i++)
        {
            var sequence = _running[i]!;
            if (sequence.IsFinished)
            {
                ReleaseMemory(sequence);
            }
            else
            {
                _running[kept++] = sequence;
            }
        }

        _running.AsSpan(kept, RunningCount - kept).Clear();
        RunningCount = kept;
    }

    private void ReleaseMemory(Sequence sequence)
    {
        for (var g = 0; g < _pools.Length; g++)
        {
            // From the end, so that of shared ones the beginning stays longest.
            var pages = sequence.Table(g).Pages;
            for (var i = pages.Length - 1; i >= 0; i--)
            {
                _pools[g].Release(pages[i], sequence.Id);
            }
        }

        sequence.DropPages();
        _slots.Release(sequence.Slot, sequence.Id);
        sequence.Slot = -1;
    }
}
