using System.Runtime.InteropServices;
using KvPrefetch.Engine.KvCache;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Scheduling;

namespace KvPrefetch.Tests.Simulation;

/// <summary>Mistakes to plant, each of a kind that real engines made.</summary>
internal enum Bug
{
    None,
    SwappedPages,
    SharedPage,

    /// <summary>Two sequences name the same state slot.</summary>
    SharedSlot,
    PageFreedTooEarly,

    /// <summary>A page is given back although a token can still see it.</summary>
    WindowedPageFreedTooEarly,
    PageLeaked,
    LastTokenOfChunkNotStored,
    StaleAfterPreemption,
    TokensOfTwoRequestsExchanged,
    RequestDropped,
    CancelIgnored,

    /// <summary>What lies in a page that can still be found is overwritten.</summary>
    CachedPageOverwritten,
}

internal sealed class SimulationFailedException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Scheduler and page pool under a load that the seed decides, against <see cref="HashModel"/>. First with faults (arrivals, cancels and failures at any point, in
/// the middle of a step too), then without: everything that is left must end within a bound. The same seed takes the same steps: <see cref="Trace"/> proves it.
/// </summary>
internal sealed class SimulatedRun
{
    private readonly ulong _seed;
    private readonly Bug _bug;
    private readonly bool _checksInvariants;
    private readonly Rng _rng;
    private readonly PagePool _pool;

    /// <summary>Of the layers with a window; null in a model without.</summary>
    private readonly PagePool? _windowed;
    private readonly Scheduler _scheduler;
    private readonly HashModel _model;
    private readonly Invariants _invariants;
    private readonly List<Tracked> _requests = [];
    private readonly List<Sequence> _alive = [];
    private readonly List<Event> _events = [];
    private readonly int[] _tokens;
    private readonly int[] _computed = new int[Scenario.MaxAlive];
    private readonly int[] _held = new int[Scenario.MaxAlive];
    private readonly int[] _heldWindowed = new int[Scenario.MaxAlive];
    private long _preemptions;

    public SimulatedRun(ulong seed, Bug bug = Bug.None, bool checksInvariants = true, Scenario? scenario = null)
    {
        (_seed, _bug, _checksInvariants) = (seed, bug, checksInvariants);
        _rng = new Rng(seed);
        Scenario = scenario ?? Scenario.From(_rng);
        _pool = new PagePool(Scenario.Pages, Scenario.PageSize, sharesPrefixes: Scenario.SharesPrefixes);
        _windowed = Scenario.Window == 0 ? null : new PagePool(Scenario.WindowPages, Scenario.PageSize, Scenario.Window);
        _scheduler = new Scheduler(_windowed is null ? [_pool] : [_pool, _windowed], Scenario.MaxSequences, Scenario.MaxBatchTokens);
        _model = new HashModel(Scenario.Pages, Scenario.PageSize, Scenario.SharesPrefixes ? 0 : Math.Min(Scenario.MaxSequences, Scenario.MaxBatchTokens), Scenario.Vocabulary, Scenario.Window, Scenario.WindowPages);
        var maxRunning = Math.Min(Scenario.MaxSequences, Scenario.MaxBatchTokens);
        _invariants = new Invariants(_pool, _windowed, _scheduler, maxRunning);
        _tokens = new int[maxRunning];
    }

    public Scenario Scenario { get; }

    public long Steps { get; private set; }

    public long Preemptions => _scheduler.Preemptions;

    public long PrefixHitTokens => _scheduler.PrefixHitTokens;

    /// <summary>Times that tokens were certain without the model.</summary>
    public long Forced { get; private set; }

    public int Requests => _requests.Count;

    /// <summary>Hash of everything that happened.</summary>
    public ulong Trace { get; private set; }

    /// <summary>True when the planted bug had an occasion.</summary>
    public bool BugFired { get; private set; }

    public IReadOnlyList<Event> Events => _events;

    public IReadOnlyList<RequestFacts> Facts => _requests.ConvertAll(r => r.Facts);

    public long TokenCapacity => Math.Min(_pool.TokenCapacity, _windowed?.TokenCapacity ?? long.MaxValue);

    /// <summary>Throws <see cref="SimulationFailedException"/>, with seed and step, for the first thing that is wrong.</summary>
    public void Run()
    {
        try
        {
            for (var i = 0; i < Scenario.Steps; i++)
            {
                Arrive();
                Disturb(Scenario.CancelRate, Scenario.FailRate);
                Step(faults: true);
            }

            // The oldest advances by a token in each step, and once it is the oldest it needs no more steps than it may have tokens.
            var bound = Steps + _alive.Count + _alive.Sum(s => (long)s.MaxTokens);
            while (_alive.Count > 0)
            {
                Step(faults: false);
                Require(Steps <= bound, "the requests that are left do not end");
            }

            Require(_scheduler.Next().Count == 0 && _pool.FreeCount == _pool.TotalCount && _windowed?.UsedCount is null or 0, "at rest there is work, or a page is not free");
            Require(History.FirstViolation(CollectionsMarshal.AsSpan(_events), Facts, TokenCapacity));
        }
        catch (Exception error) when (error is not SimulationFailedException)
        {
            throw new SimulationFailedException($"seed {_seed}, step {Steps}: {error.Message}", error);
        }
    }

    private void Step(bool faults)
    {
        for (var i = 0; i < _alive.Count; i++)
        {
            _computed[i] = _alive[i].Computed;
            _held[i] = _alive[i].Pages.Length;
            _heldWindowed[i] = _windowed is null ? 0 : _alive[i].Table(1).Pages.Length;
        }

        var batch = _scheduler.Next();
        CheckBatch(batch);
        CheckIdleness(batch);
        CheckNeed();
        for (var i = 0; i < batch.Count; i++)
        {
            ref readonly var item = ref batch[i];
            var missed = _bug == Bug.LastTokenOfChunkNotStored && item.Count > 1 && (item.Samples || item.Sequence.GeneratedCount == 0) && Fires() ? 1 : 0;
            _model.Store(item.Sequence, item.Start, item.Count - missed);
            Trace = Rng.Mix(Trace ^ ((ulong)item.Sequence.Id << 32) ^ ((ulong)item.Start << 16) ^ (ulong)item.Count);
        }

        var sampled = 0;
        for (var i = 0; i < batch.Count; i++)
        {
            ref readonly var item = ref batch[i];
            if (item.Samples)
            {
                _tokens[sampled++] = _model.Next(item.Sequence, item.Start + item.Count).Token;
            }
        }

        if (faults)
        {
            Disturb(Scenario.MidStepRate, Scenario.MidStepRate);
        }

        if (_bug == Bug.TokensOfTwoRequestsExchanged && sampled > 1 && _tokens[0] != _tokens[1] && Fires())
        {
            (_tokens[0], _tokens[1]) = (_tokens[1], _tokens[0]);
        }

        if (batch.Count > 0)
        {
            _scheduler.Commit(batch, _tokens.AsSpan(0, sampled));
            Force(batch);
        }

        Steps++;
        CheckProgress();
        Observe();
        Plant();
        _preemptions = _scheduler.Preemptions;
        if (_checksInvariants)
        {
            Require(_invariants.FirstViolation(_alive));
        }

        _model.PoisonPages(_pool.Free, _windowed is null ? [] : _windowed.Free);
    }

    /// <summary>Some tokens that the oracle knows follow at once, as a grammar's would.</summary>
    private void Force(Batch batch)
    {
        for (var i = 0; i < batch.Count; i++)
        {
            ref readonly var item = ref batch[i];
            if (item.Samples && !item.Sequence.IsFinished && _rng.Chance(Scenario.ForceRate))
            {
                var oracle = new HashModel.Oracle(Scenario.Vocabulary, Scenario.Window, !Scenario.SharesPrefixes);
                foreach (var token in item.Sequence.Tokens)
                {
                    oracle.Append(token);
                }

                var forced = new int[_rng.Between(1, 40)];
                for (var t = 0; t < forced.Length; t++)
                {
                    forced[t] = oracle.Next;
                    oracle.Append(forced[t]);
                }

                _scheduler.Extend(item.Sequence, forced);
                Forced++;
            }
        }
    }

    private void CheckBatch(Batch batch)
    {
        var (tokens, samples, last, prefills) = (0, 0, -1L, false);
        for (var i = 0; i < batch.Count; i++)
        {
            ref readonly var item = ref batch[i];
            var s = item.Sequence;
            Require(!s.IsFinished && item.Count > 0 && item.Start == s.Computed && item.Start + item.Count <= s.Count
                && item.Samples == (item.Start + item.Count == s.Count), "a batch item does not fit its sequence");
            Require(s.Pages.Length == _pool.PagesFor(item.Start + item.Count), "a batch item has no page, or one too many");
            Require(_windowed is null || (s.Table(1).End == _windowed.PagesFor(item.Start + item.Count) && s.Table(1).First <= _windowed.FirstVisible(item.Start)), "a batch item lacks a page in its window");
            Require(s.Id > last, "the batch is not in the order of arrival");
            Require(item.Samples || i == batch.Count - 1 || s.GeneratedCount > 0, "an unfinished prompt is not the last item");
            Require(_computed[_alive.IndexOf(s)] == 0 || !prefills, "something that ran before comes after a prompt");
            prefills |= _computed[_alive.IndexOf(s)] == 0;
            last = s.Id;
            tokens += item.Count;
            samples += item.Samples ? 1 : 0;
        }

        Require(tokens == batch.TotalTokens && samples == batch.SampleCount && tokens <= Scenario.MaxBatchTokens, "the batch does not add up");
        Require(batch.Count > 0 || !_alive.Exists(s => !s.IsFinished), "there is work, but the batch is empty");
    }

    /// <summary>Whoever could be admitted is.</summary>
    private void CheckIdleness(Batch batch)
    {
        var running = _scheduler.RunningCount;
        var head = _alive.Find(static s => s is { IsFinished: false, Pages.Length: 0 });
        if (head is not null && batch.TotalTokens < Scenario.MaxBatchTokens && running < _tokens.Length
            && (running == 0 || (batch.Count == running && batch[running - 1].Samples && _pool.PagesFor(head.Count) + running <= _pool.FreeCount
                && (_windowed is null || _windowed.PagesToCompute(head.Count, Scenario.MaxBatchTokens) + running <= _windowed.FreeCount))))
        {
            Require($"request {head.Id} could have been admitted");
        }
    }

    /// <summary>Nobody is preempted for less than a missing page: without the last to give way (the oldest of them) there would not be enough.</summary>
    private void CheckNeed()
    {
        for (var i = 0; i < _alive.Count && _scheduler.Preemptions > _preemptions; i++)
        {
            if (_held[i] > 0 && _alive[i] is { IsFinished: false, Pages.Length: 0 })
            {
                Require(_pool.FreeCount < _held[i] || _windowed?.FreeCount < _heldWindowed[i], "a request was preempted although there were pages");
                return;
            }
        }
    }

    /// <summary>The oldest advances, whatever happens. Others that ran do too, but for the latest, which may wait for a page, and for those that were preempted.</summary>
    private void CheckProgress()
    {
        var (preempted, stalled) = (0, false);
        for (var i = 0; i < _alive.Count; i++)
        {
            var sequence = _alive[i];
            if (sequence.IsFinished || (_computed[i] == 0 && i > 0))
            {
                continue;
            }

            Require(!stalled || sequence.Pages.Length == 0, "a request stood still that was not the latest");
            if (sequence.Pages.Length == 0)
            {
                preempted++;
                Require(i > 0, "the oldest was preempted");
            }
            else if (sequence.Computed <= _computed[i])
            {
                stalled = true;
                Require(i > 0, "the oldest did not advance");
            }
        }

        Require(preempted <= _scheduler.Preemptions - _preemptions, "a request lost its pages without being preempted");
    }

    private void Arrive()
    {
        while (_alive.Count < Scenario.MaxAlive && _rng.Chance(Scenario.ArrivalRate))
        {
            int[] prompt;
            if (_requests.Count > 0 && _rng.Chance(Scenario.DuplicateRate))
            {
                prompt = _requests[_rng.Next(_requests.Count)].Facts.Prompt;
            }
            else if (_requests.Count > 0 && _rng.Chance(Scenario.ContinueRate))
            {
                // As the next turn of a conversation does, or another one under the same instructions.
                var text = _requests[_rng.Next(_requests.Count)].Sequence.Tokens;
                text = text[..Math.Min(_rng.Between(1, text.Length), Math.Max(1, Scenario.MaxPrompt - 3))];
                prompt = [.. text, .. Enumerable.Range(0, _rng.Between(0, 3)).Select(_ => _rng.Next(Scenario.Vocabulary))];
            }
            else
            {
                prompt = new int[_rng.Between(1, Scenario.MaxPrompt)];
                for (var i = 0; i < prompt.Length; i++)
                {
                    prompt[i] = _rng.Next(Scenario.Vocabulary);
                }
            }

            var stop = new int[_rng.Next(Scenario.StopTokens + 1)];
            for (var i = 0; i < stop.Length; i++)
            {
                stop[i] = _rng.Next(Scenario.Vocabulary);
            }

            var facts = new RequestFacts(prompt, prompt.Length + _rng.Between(1, Scenario.MaxOutput), stop, Scenario.Window, !Scenario.SharesPrefixes);
            var sequence = new Sequence(_requests.Count, prompt, facts.MaxTokens, Sampling, stop);
            _requests.Add(new Tracked(sequence, facts));
            _alive.Add(sequence);
            Log(new Event((int)sequence.Id, EventKind.Submit));
            _scheduler.Add(sequence);
        }
    }

    private static readonly SamplingOptions Sampling = new();

    /// <summary>Cancels or fails someone: mostly one who is alive, sometimes one who has ended long ago.</summary>
    private void Disturb(double cancelRate, double failRate)
    {
        if (_requests.Count > 0 && _rng.Chance(cancelRate))
        {
            var victim = Ask(EventKind.CancelAsked);
            if (_bug != Bug.CancelIgnored || victim.IsFinished || !Fires())
            {
                _scheduler.Cancel(victim);
            }

            Require(victim.IsFinished && victim.Pages.Length == 0, "a cancelled request goes on");
        }

        if (_requests.Count > 0 && _rng.Chance(failRate))
        {
            var victim = Ask(EventKind.FailAsked);
            _scheduler.Fail(victim);
            Require(victim.IsFinished && victim.Pages.Length == 0, "a failed request goes on");
        }
    }

    private Sequence Ask(EventKind kind)
    {
        var victim = _alive.Count > 0 && !_rng.Chance(0.1) ? _alive[_rng.Next(_alive.Count)] : _requests[_rng.Next(_requests.Count)].Sequence;
        if (!victim.IsFinished)
        {
            Log(new Event((int)victim.Id, kind));
        }

        return victim;
    }

    /// <summary>Logs what is new in each sequence; those that ended leave.</summary>
    private void Observe()
    {
        var kept = 0;
        for (var i = 0; i < _alive.Count; i++)
        {
            var sequence = _alive[i];
            var tracked = _requests[(int)sequence.Id];
            for (; tracked.Seen < sequence.Count; tracked.Seen++)
            {
                var token = sequence.Tokens[tracked.Seen];
                if (token != tracked.Oracle.Next)
                {
                    Require($"request {sequence.Id} got token {token}; the oracle says {tracked.Oracle.Next}");
                }

                tracked.Oracle.Append(token);
                Log(new Event((int)sequence.Id, EventKind.Token, token));
            }

            if (sequence.Finish is { } reason)
            {
                Require(sequence.Pages.Length == 0, "a request ended and holds pages");
                Log(new Event((int)sequence.Id, EventKind.End, sequence.GeneratedCount, reason));
            }
            else
            {
                _alive[kept++] = sequence;
            }
        }

        _alive.RemoveRange(kept, _alive.Count - kept);
    }

    private void Plant()
    {
        var running = _alive.FindAll(_bug == Bug.None ? static _ => false : static s => s.Pages.Length > 0);
        var first = running.Find(s => s.Pages.Length > 1 || _bug is not Bug.SwappedPages);
        switch (_bug)
        {
            case Bug.SwappedPages when first is not null && Fires():
                (Table(first)[0], Table(first)[1]) = (Table(first)[1], Table(first)[0]);
                break;
            case Bug.SharedPage when running.Count > 1 && Fires():
                Table(running[1])[0] = running[0].Pages[0];
                break;
            case Bug.SharedSlot when running.Count > 1 && Fires():
                running[1].Slot = running[0].Slot;
                break;
            case Bug.PageFreedTooEarly when first is not null && Fires():
                _pool.Release(first.Pages[0], first.Id);
                break;
            case Bug.WindowedPageFreedTooEarly when _windowed is not null && running.Find(s => s.Table(1).Pages.Length > 0) is { } early && Fires():
                _windowed.Release(early.Table(1).Pages[0], early.Id);
                break;
            case Bug.PageLeaked when _pool.FreeCount > 0 && Fires():
                _pool.Allocate(1_000_000);
                break;
            case Bug.StaleAfterPreemption when _scheduler.Preemptions > _preemptions:
                if (_alive.Find(s => s.Pages.Length == 0 && s.GeneratedCount > 0) is { } preempted && Fires())
                {
                    preempted.Advance(1);
                }

                break;
            case Bug.CachedPageOverwritten when Scenario is { SharesPrefixes: true, ContinueRate: > 0.2 } && Enumerable.Range(0, _pool.TotalCount).Where(p => _pool.Holders(p) == 0 && !_pool.Free.Contains(p)).ToArray() is { Length: > 0 } idle && (BugFired || Fires()):
                _model.PoisonPages(idle);
                break;
            case Bug.RequestDropped when _alive.Count > 0 && Fires():
                _scheduler.Cancel(_alive[^1]);
                break;
        }
    }

    private static Span<int> Table(Sequence sequence) => MemoryMarshal.CreateSpan(ref MemoryMarshal.GetReference(sequence.Pages), sequence.Pages.Length);

    /// <summary>A planted bug strikes once, at a step that the seed decides.</summary>
    private bool Fires()
    {
        var fires = !BugFired && _rng.Chance(0.05);
        BugFired |= fires;
        return fires;
    }

    private void Log(Event e)
    {
        _events.Add(e);
        Trace = Rng.Mix(Trace ^ ((ulong)e.Request << 32) ^ ((ulong)e.Kind << 24) ^ (ulong)e.Value ^ ((ulong)e.Reason << 48));
    }

    private void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            Require(otherwise);
        }
    }

    private void Require(string? violation)
    {
        if (violation is not null)
        {
            throw new SimulationFailedException($"seed {_seed}, step {Steps}: {violation}");
        }
    }

    private sealed class Tracked
    {
        public Tracked(Sequence sequence, RequestFacts facts)
        {
            (Sequence, Facts, Seen, Oracle) = (sequence, facts, facts.Prompt.Length, new HashModel.Oracle(Scenario.Vocabulary, facts.Window, facts.HasStates));
            Array.ForEach(facts.Prompt, Oracle.Append);
        }

        public Sequence Sequence { get; }
        public RequestFacts Facts { get; }
        public HashModel.Oracle Oracle { get; }

        /// <summary>Tokens, the prompt's included, that were logged.</summary>
        public int Seen { get; set; }
    }
}
