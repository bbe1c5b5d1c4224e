using System.Collections.Concurrent;
using System.Diagnostics;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Execution;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Sampling;
using KvPrefetch.Engine.Scheduling;

namespace KvPrefetch.Engine;

/// <summary>The one thread that owns everything mutable about running requests: scheduler, KV pages, scratch. Others reach it through two queues: requests in, cancellations in.</summary>
internal sealed class Pump : IDisposable
{
    private readonly Scheduler _scheduler;
    private readonly ModelRunner _runner;
    private readonly Sampler _sampler;
    private readonly SummarySampler? _summaries;
    private readonly int[] _tokens;
    private readonly TokenLogprobs?[] _logprobs;
    private readonly int _maxLive;
    private readonly Dictionary<Sequence, Generation> _live = [];
    private readonly List<Sequence> _ended = [];
    private readonly ConcurrentQueue<Generation> _submitted = new();
    private readonly ConcurrentQueue<Generation> _cancelled = new();
    private readonly ManualResetEventSlim _wake = new();
    private readonly Lock _gate = new();
    private readonly Thread _thread;
    private int _liveCount;
    private volatile bool _closed;
    private volatile Exception? _fault;
    private long _promptTokens;
    private long _generatedTokens;
    private long _allocatedBytes;
    private int _batchSequences;

    public Pump(Scheduler scheduler, ModelRunner runner, Sampler sampler, SummarySampler? summaries, int maxSequences, int maxQueue)
    {
        (_scheduler, _runner, _sampler, _summaries) = (scheduler, runner, sampler, summaries);
        _tokens = new int[maxSequences];
        _logprobs = new TokenLogprobs?[maxSequences];
        _maxLive = checked(maxSequences + maxQueue);
        _thread = new Thread(Loop) { IsBackground = true, Name = "KvPrefetch pump" };
        _thread.Start();
    }

    public Exception? Fault => _fault;
    public int Running => _scheduler.RunningCount;
    public int Waiting => Math.Max(0, Volatile.Read(ref _liveCount) - _scheduler.RunningCount);
    public long Preemptions => _scheduler.Preemptions;
    public long PrefixHitTokens => _scheduler.PrefixHitTokens;

    /// <summary>Sequences of the last step; 0 while idle.</summary>
    public int BatchSequences => Volatile.Read(ref _batchSequences);
    public long PromptTokens => Volatile.Read(ref _promptTokens);
    public long GeneratedTokens => Volatile.Read(ref _generatedTokens);

    /// <summary>Bytes of garbage that the pump thread made so far; a decode step adds none.</summary>
    public long AllocatedBytes => Volatile.Read(ref _allocatedBytes);

    /// <summary>Takes a request in.</summary>
    /// <exception cref="EngineOverloadedException">The queue is full.</exception>
    /// <exception cref="EngineFaultedException">The engine failed before.</exception>
    /// <exception cref="ObjectDisposedException">The engine is closed.</exception>
    public void Submit(Generation generation)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_closed, typeof(LlmEngine));
            ThrowIfFaulted();
            if (_liveCount >= _maxLive)
            {
                throw new EngineOverloadedException($"{_liveCount} requests run or wait; the limit is {_maxLive}.", TimeSpan.FromSeconds(1));
            }

            Interlocked.Increment(ref _liveCount);
            _submitted.Enqueue(generation);
            _wake.Set();
        }
    }

    /// <summary>Ends a request before the next step. One that has ended already is left alone.</summary>
    public void Cancel(Generation generation)
    {
        lock (_gate)
        {
            if (_closed)
            {
                return;
            }

            _cancelled.Enqueue(generation);
            _wake.Set();
        }
    }

    /// <summary>Ends all requests with <see cref="ObjectDisposedException"/> and the thread with them.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_closed)
            {
                return;
            }

            _closed = true;
            _wake.Set();
        }

        _thread.Join();
        _wake.Dispose();
    }

    private void Loop()
    {
        try
        {
            while (!_closed)
            {
                TakeIn();
                if (_live.Count == 0)
                {
                    Volatile.Write(ref _batchSequences, 0);
                    _wake.Wait();
                    _wake.Reset();
                    continue;
                }

                Step();
            }

            EndAll(static () => new ObjectDisposedException(nameof(LlmEngine)));
        }
        catch (Exception e)
        {
            // Whatever it was, what runs can no longer be trusted: everybody learns of it, nobody hangs, and nothing new is taken.
            _fault = e;
            EndAll(() => new EngineFaultedException($"The engine met an error it cannot recover from: {e.Message}", e));
        }
    }

    /// <summary>Schedule, run, sample, commit, publish.</summary>
    private void Step()
    {
        var batch = _scheduler.Next();
        if (batch.Count > 0)
        {
            Start(batch);
            var tokens = Compute(batch);
            _scheduler.Commit(batch, tokens);
            JumpAhead(batch);
            Publish(batch);
        }

        PublishEnded();
    }

    /// <summary>Whoever is computed on has left the queue.</summary>
    private void Start(Batch batch)
    {
        Volatile.Write(ref _batchSequences, batch.Count);
        for (var i = 0; i < batch.Count; i++)
        {
            _live[batch[i].Sequence].Start();
        }
    }

    /// <summary>Where a device has no memory left for this batch, its requests fail and the engine goes on.</summary>
    private ReadOnlySpan<int> Compute(Batch batch)
    {
        try
        {
            return Pick(batch, _runner.Run(batch));
        }
        catch (DeviceOutOfMemoryException e)
        {
            for (var i = 0; i < batch.Count; i++)
            {
                ref readonly var item = ref batch[i];
                _scheduler.Fail(item.Sequence);
                _live[item.Sequence].Fail(e);
            }

            return _tokens.AsSpan(0, batch.SampleCount);
        }
    }

    private void TakeIn()
    {
        while (_submitted.TryDequeue(out var generation))
        {
            _live.Add(generation.Sequence, generation);
            JumpAhead(generation.Sequence);
            _scheduler.Add(generation.Sequence);
        }

        while (_cancelled.TryDequeue(out var generation))
        {
            // A request may be cancelled while its submission is still on its way into the queue behind us; it is found there above, since Submit comes first.
            _scheduler.Cancel(generation.Sequence);
        }

        PublishEnded();
    }

    private ReadOnlySpan<int> Pick(Batch batch, Rows logits)
    {
        var sample = 0;
        _summaries?.Begin(batch, logits);
        for (var i = 0; i < batch.Count; i++)
        {
            ref readonly var item = ref batch[i];
            if (!item.Samples)
            {
                continue;
            }

            try
            {
                var token = _summaries is null ? _sampler.Pick(item.Sequence, _runner.Logits(logits, sample)) : _summaries.Pick(sample, item.Sequence);
                _tokens[sample] = token;
                _logprobs[sample] = item.Sequence.Sampling.Logprobs is null ? null : _sampler.Logprobs;
                if (item.Sequence.Constraint is { } constraint && !item.Sequence.StopTokens.Contains(token))
                {
                    constraint.Advance(token);
                }
            }
            catch (KvPrefetchException e) when (e is NumericalFaultException or GrammarException)
            {
                _scheduler.Fail(item.Sequence);
                _live[item.Sequence].Fail(e);
            }

            sample++;
        }

        return _tokens.AsSpan(0, sample);
    }

    /// <summary>What a grammar forces after the new tokens follows them at once; it is computed together with them in the next step.</summary>
    private void JumpAhead(Batch batch)
    {
        for (var i = 0; i < batch.Count; i++)
        {
            ref readonly var item = ref batch[i];
            if (item.Samples && !item.Sequence.IsFinished)
            {
                JumpAhead(item.Sequence);
            }
        }
    }

    private void JumpAhead(Sequence sequence)
    {
        if (sequence.Constraint is { Forced: { IsEmpty: false } forced })
        {
            _scheduler.Extend(sequence, forced);
        }
    }

    private void Publish(Batch batch)
    {
        Count(batch);
        var now = Stopwatch.GetTimestamp();
        var sample = 0;
        for (var i = 0; i < batch.Count; i++)
        {
            ref readonly var item = ref batch[i];
            if (item.Samples)
            {
                var logprobs = _logprobs[sample++];
                if (!IsLost(item.Sequence))
                {
                    _live[item.Sequence].PublishNew(now, logprobs);
                }
            }
        }
    }

    /// <summary>Before anybody learns of the tokens, so that a caller who has seen one finds it counted.</summary>
    private void Count(Batch batch)
    {
        long prompt = 0, generated = 0;
        for (var i = 0; i < batch.Count; i++)
        {
            ref readonly var item = ref batch[i];
            prompt += item.Start < item.Sequence.PromptCount ? item.Count : 0;
            generated += item.Samples && !IsLost(item.Sequence) ? _live[item.Sequence].Unpublished : 0;
        }

        Volatile.Write(ref _promptTokens, _promptTokens + prompt);
        Volatile.Write(ref _generatedTokens, _generatedTokens + generated);
        Volatile.Write(ref _allocatedBytes, GC.GetAllocatedBytesForCurrentThread());
    }

    private static bool IsLost(Sequence sequence) => sequence.Finish is FinishReason.Error or FinishReason.Cancelled;

    /// <summary>Forgets what has ended. Closing a stream that has had its last event changes nothing.</summary>
    private void PublishEnded()
    {
        foreach (var sequence in _live.Keys)
        {
            if (sequence.IsFinished)
            {
                _ended.Add(sequence);
            }
        }

        foreach (var sequence in _ended)
        {
            _live.Remove(sequence, out var generation);
            if (!IsLost(sequence))
            {
                // What begins a text by force can be all that it may have.
                generation!.PublishNew(Stopwatch.GetTimestamp(), logprobs: null);
            }

            generation!.Publish(new TokenEvent(null, sequence.Finish, Stopwatch.GetTimestamp()));
            Interlocked.Decrement(ref _liveCount);
        }

        _ended.Clear();
    }

    private void EndAll(Func<Exception> error)
    {
        lock (_gate)
        {
            while (_submitted.TryDequeue(out var generation))
            {
                generation.Fail(error());
            }

            foreach (var generation in _live.Values)
            {
                generation.Fail(error());
            }

            _live.Clear();
            _liveCount = 0;
        }
    }

    private void ThrowIfFaulted()
    {
        if (_fault is { } fault)
        {
            throw new EngineFaultedException($"The engine met an error it cannot recover from: {fault.Message}", fault);
        }
    }
}
