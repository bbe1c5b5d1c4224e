namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Work that all threads of a pool do together. Implementations hold pointers and numbers only: no references, no exceptions.</summary>
internal interface IParallelJob
{
    /// <param name="thread">From 0 to <paramref name="threads"/> - 1; 0 is the caller.</param>
    /// <param name="threads">How many take part.</param>
    void Run(int thread, int threads);
}

/// <summary>A fixed team of threads. The caller takes part, so a pool of one has no threads of its own.
/// Workers spin for a moment between jobs (a decode step is a hundred short ones) and then sleep until the next.</summary>
internal sealed unsafe class WorkerPool : IDisposable
{
    // About 50 us: longer than the serial work between two jobs of a step, far shorter than anybody notices on an idle machine.
    private const int SpinsBeforeSleep = 2_000;

    private readonly Thread[] _workers;
    private readonly SemaphoreSlim[] _wake;
    private readonly int[] _asleep;
    private delegate*<void*, int, int, void> _entry;
    private void* _job;
    private volatile int _round;
    private volatile int _running;
    private volatile bool _stop;

    public WorkerPool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        _workers = new Thread[threads - 1];
        _wake = new SemaphoreSlim[threads - 1];
        _asleep = new int[threads - 1];
        for (var i = 0; i < _workers.Length; i++)
        {
            var index = i;
            _wake[i] = new SemaphoreSlim(0);
            _workers[i] = new Thread(() => Work(index), 256 * 1024) { IsBackground = true, Name = $"KvPrefetch worker {i + 1}" };
            _workers[i].Start();
        }
    }

    public int Threads { get; }

    /// <summary>Runs the job on every thread and returns when all are done. One caller at a time.</summary>
    public void Run<TJob>(ref TJob job)
        where TJob : unmanaged, IParallelJob
    {
        if (_workers.Length == 0)
        {
            job.Run(0, 1);
            return;
        }

        fixed (TJob* pointer = &job)
        {
            _entry = &Invoke<TJob>;
            _job = pointer;
            _running = _workers.Length;
            Interlocked.Increment(ref _round);
            for (var i = 0; i < _asleep.Length; i++)
            {
                if (Volatile.Read(ref _asleep[i]) != 0 && Interlocked.Exchange(ref _asleep[i], 0) != 0)
                {
                    _wake[i].Release();
                }
            }

            pointer->Run(0, Threads);
            var spinner = default(SpinWait);
            for (var spins = 0; _running != 0; spins++)
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
    }

    public void Dispose()
    {
        if (_stop)
        {
            return;
        }

        _stop = true;
        Interlocked.Increment(ref _round);
        for (var i = 0; i < _workers.Length; i++)
        {
            _wake[i].Release();
            _workers[i].Join();
            _wake[i].Dispose();
        }
    }

    private static void Invoke<TJob>(void* job, int thread, int threads)
        where TJob : unmanaged, IParallelJob => ((TJob*)job)->Run(thread, threads);

    private void Work(int index)
    {
        var seen = 0;
        while (true)
        {
            AwaitRound(index, seen);
            seen = _round;
            if (_stop)
            {
                return;
            }

            _entry(_job, index + 1, Threads);
            Interlocked.Decrement(ref _running);
        }
    }

    private void AwaitRound(int index, int seen)
    {
        while (true)
        {
            for (var i = 0; i < SpinsBeforeSleep; i++)
            {
                if (_round != seen)
                {
                    return;
                }

                Thread.SpinWait(8);
            }

            // Announce, then look once more: Run raises the round first and looks for sleepers second, so one of the two sees the other.
            Interlocked.Exchange(ref _asleep[index], 1);
            if (_round != seen)
            {
                if (Interlocked.Exchange(ref _asleep[index], 0) == 0)
                {
                    _wake[index].Wait();    // the caller took the announcement and released: consume it
                }

                return;
            }

            _wake[index].Wait();
        }
    }
}
