namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Work over a range of items, each computed by whichever thread comes to it. Implementations hold pointers and numbers only: no references, no exceptions.</summary>
internal interface IParallelJob
{
    /// <summary>Computes items <paramref name="from"/> to <paramref name="end"/>, exclusive. What an item gives must not depend on how the range was cut.</summary>
    /// <param name="from">First item.</param>
    /// <param name="end">One behind the last.</param>
    /// <param name="thread">Whose scratch to use: 0 is the caller.</param>
    void Run(int from, int end, int thread);
}

/// <summary>A fixed team of threads that share out the items of one job at a time. The caller takes part: a pool of one has no threads of its own.
/// <para>Each thread has a run of items of its own and goes through it from the front, so that what it reads is one stream; when it is done it takes over from the backs of the others, a few items at
/// once, so that all end together.</para>
/// <para>A worker takes part in a job only once it has entered it, and the caller waits only for those that did: on a busy machine a worker that the system keeps waiting holds nobody up.
/// Workers spin for a moment between jobs (a decode step is a hundred short ones) and then sleep until the next.</para>
/// <para>Engines of one process that ask for as many threads get the same team, and their jobs take turns: two engines at work are no more threads than one.</para></summary>
internal sealed unsafe class WorkerPool : IDisposable
{
    // About 50 us: longer than the serial work between two jobs of a step, far shorter than anybody notices on an idle machine.
    private const int SpinsBeforeSleep = 2_000;

    /// <summary>State: the number of the job in the upper half; in the lower half, how many workers are inside it, and whether it still lets them in.</summary>
    private const long Open = 1L << 31;
    private const long Inside = Open - 1;

    /// <summary>From one thread's entry in <see cref="_left"/> to the next one's.</summary>
    private const int Line = 16;

    private static readonly Dictionary<int, WorkerPool> Teams = [];

    private readonly Lock _turn = new();
    private readonly Thread[] _workers;
    private readonly SemaphoreSlim[] _wake;
    private readonly int[] _asleep;
    private delegate*<void*, WorkerPool, int, void> _entry;
    private void* _job;
    private int _grain;
    private long _state;

    /// <summary>For each thread, on a cache line of its own: the first item left in the upper half, the one behind the last in the lower.</summary>
    private readonly long[] _left;
    private int _users;
    private volatile bool _stop;

    private WorkerPool(int threads)
    {
        Threads = threads;
        _workers = new Thread[threads - 1];
        _wake = new SemaphoreSlim[threads - 1];
        _asleep = new int[threads - 1];
        _left = new long[(threads + 1) * Line];
        for (var i = 0; i < _workers.Length; i++)
        {
            var index = i;
            _wake[i] = new SemaphoreSlim(0);
            _workers[i] = new Thread(() => Work(index), 256 * 1024) { IsBackground = true, Name = $"KvPrefetch worker {i + 1}" };
            _workers[i].Start();
        }
    }

    public int Threads { get; }

    /// <summary>Whether all workers sleep: then an idle pool costs nothing.</summary>
    public bool IsAsleep => _asleep.All(a => Volatile.Read(ref a) != 0);

    /// <summary>The process's team of this many threads, the caller of a job included. Dispose it once for every time it was rented.</summary>
    public static WorkerPool Rent(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        lock (Teams)
        {
            if (!Teams.TryGetValue(threads, out var pool))
            {
                Teams[threads] = pool = new WorkerPool(threads);
            }

            pool._users++;
            return pool;
        }
    }

    /// <summary>Computes all items and returns when the last is done. Callers on several threads take turns.</summary>
    /// <param name="job">What to do with items; may live on the caller's stack.</param>
    /// <param name="items">How many there are.</param>
    /// <param name="grain">How many a thread takes at once.</param>
    public void Run<TJob>(ref TJob job, int items, int grain)
        where TJob : unmanaged, IParallelJob
    {
        if (_workers.Length == 0 || items <= grain)
        {
            job.Run(0, items, 0);
            return;
        }

        lock (_turn)
        {
            Share(ref job, items, grain);
        }
    }

    private void Share<TJob>(ref TJob job, int items, int grain)
        where TJob : unmanaged, IParallelJob
    {
        fixed (TJob* pointer = &job)
        {
            _entry = &Share<TJob>;
            _job = pointer;
            _grain = grain;
            Deal(items, grain);
            var number = (Volatile.Read(ref _state) >> 32) + 1;
            Interlocked.Exchange(ref _state, (number << 32) | Open);
            WakeSleepers();
            Share<TJob>(pointer, this, 0);
            Interlocked.And(ref _state, ~Open);
            AwaitThoseInside();
        }
    }

    public void Dispose()
    {
        lock (Teams)
        {
            if (--_users > 0)
            {
                return;
            }

            Teams.Remove(Threads);
        }

        _stop = true;
        for (var i = 0; i < _workers.Length; i++)
        {
            _wake[i].Release();
            _workers[i].Join();
            _wake[i].Dispose();
        }
    }

    /// <summary>As many whole grains to each thread, about.</summary>
    private void Deal(int items, int grain)
    {
        var grains = ((long)items + grain - 1) / grain;
        for (var t = 0; t < Threads; t++)
        {
            long from = grains * t / Threads * grain, end = Math.Min(items, grains * (t + 1) / Threads * grain);
            Volatile.Write(ref Left(t), (from << 32) | end);
        }
    }

    private ref long Left(int thread) => ref _left[(thread + 1) * Line];

    private static void Share<TJob>(void* job, WorkerPool pool, int thread)
        where TJob : unmanaged, IParallelJob
    {
        while (pool.TakeOwn(thread, out var from, out var end) || pool.TakeOver(out from, out end))
        {
            ((TJob*)job)->Run(from, end, thread);
        }
    }

    private bool TakeOwn(int thread, out int from, out int end)
    {
        ref var left = ref Left(thread);
        while (true)
        {
            var seen = Volatile.Read(ref left);
            (from, var last) = ((int)(seen >> 32), (int)seen);
            end = Math.Min(last, from + _grain);
            if (from >= last)
            {
                return false;
            }

            if (Interlocked.CompareExchange(ref left, ((long)end << 32) | (uint)last, seen) == seen)
            {
                return true;
            }
        }
    }

    /// <summary>Takes from the back of whoever has most left.</summary>
    private bool TakeOver(out int from, out int end)
    {
        while (true)
        {
            long seen = 0;
            int most = 0, victim = -1;
            for (var t = 0; t < Threads; t++)
            {
                var left = Volatile.Read(ref Left(t));
                if ((int)left - (int)(left >> 32) > most)
                {
                    (most, seen, victim) = ((int)left - (int)(left >> 32), left, t);
                }
            }

            (from, end) = ((int)(seen >> 32), (int)seen);
            if (victim < 0)
            {
                return false;
            }

            // Whole grains counted from the front, so that a thread that goes through its own never meets a part of one.
            var first = from;
            from += (most - 1) / _grain * _grain;
            if (Interlocked.CompareExchange(ref Left(victim), ((long)first << 32) | (uint)from, seen) == seen)
            {
                return true;
            }
        }
    }

    private void WakeSleepers()
    {
        for (var i = 0; i < _asleep.Length; i++)
        {
            if (Volatile.Read(ref _asleep[i]) != 0 && Interlocked.Exchange(ref _asleep[i], 0) != 0)
            {
                _wake[i].Release();
            }
        }
    }

    private void AwaitThoseInside()
    {
        var spinner = default(SpinWait);
        for (var spins = 0; (Volatile.Read(ref _state) & Inside) != 0; spins++)
        {
            if (spins < SpinsBeforeSleep)
            {
                Thread.SpinWait(8);
            }
            else
            {
                spinner.SpinOnce(sleep1Threshold: -1);
            }
        }
    }

    private void Work(int index)
    {
        var seen = 0L;
        while (!_stop)
        {
            var state = AwaitJob(index, seen);
            seen = state >> 32;
            if (TryEnter(state))
            {
                _entry(_job, this, index + 1);
                Interlocked.Decrement(ref _state);
            }
        }
    }

    /// <summary>Enters the job of <paramref name="state"/> unless it is closed or another has begun.</summary>
    private bool TryEnter(long state)
    {
        while ((state & Open) != 0)
        {
            var actual = Interlocked.CompareExchange(ref _state, state + 1, state);
            if (actual == state)
            {
                return true;
            }

            if (actual >> 32 != state >> 32)
            {
                return false;
            }

            state = actual;
        }

        return false;
    }

    /// <summary>The state once a job other than <paramref name="seen"/> has begun, or the pool ends.</summary>
    private long AwaitJob(int index, long seen)
    {
        while (true)
        {
            long state;
            for (var i = 0; i < SpinsBeforeSleep; i++)
            {
                state = Volatile.Read(ref _state);
                if (state >> 32 != seen)
                {
                    return state;
                }

                Thread.SpinWait(8);
            }

            // Announce, then look once more: Run opens the job first and looks for sleepers second, so one of the two sees the other.
            Interlocked.Exchange(ref _asleep[index], 1);
            state = Volatile.Read(ref _state);
            if (state >> 32 == seen && !_stop)
            {
                _wake[index].Wait();
            }
            else if (Interlocked.Exchange(ref _asleep[index], 0) == 0)
            {
                _wake[index].Wait();    // the caller took the announcement and releases: consume it
            }

            if (_stop)
            {
                return state;
            }
        }
    }
}
