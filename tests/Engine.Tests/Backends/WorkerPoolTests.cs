using System.Diagnostics;
using KvPrefetch.Engine.Backends.Cpu;

namespace KvPrefetch.Tests.Backends;

public sealed unsafe class WorkerPoolTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Every_item_is_computed_once(int threads)
    {
        using var pool = WorkerPool.Rent(threads);
        var seed = Environment.TickCount;
        var random = new Random(seed);
        for (var round = 0; round < 2_000; round++)
        {
            var items = random.Next(0, 200);
            Assert.True(ComputesEachOnce(pool, items, random.Next(1, 20)), $"seed {seed}, round {round}");
        }
    }

    [Fact]
    public void Callers_on_several_threads_take_turns()
    {
        using var pool = WorkerPool.Rent(3);
        var wrong = 0;
        Parallel.For(0, 8, _ =>
        {
            for (var round = 0; round < 500; round++)
            {
                if (!ComputesEachOnce(pool, 50 + round, 7))
                {
                    Interlocked.Increment(ref wrong);
                }
            }
        });
        Assert.Equal(0, wrong);
    }

    [Fact]
    public void Engines_that_want_as_many_threads_share_them_and_the_last_ends_them()
    {
        const int Threads = 7;
        var first = WorkerPool.Rent(Threads);
        var second = WorkerPool.Rent(Threads);
        Assert.Same(first, second);
        first.Dispose();
        Assert.True(ComputesEachOnce(second, 100, 1));
        second.Dispose();
        using var third = WorkerPool.Rent(Threads);
        Assert.NotSame(first, third);
        Assert.True(ComputesEachOnce(third, 100, 1));
    }

    [Fact]
    public void Workers_sleep_soon_after_the_last_job()
    {
        using var pool = WorkerPool.Rent(4);
        Assert.True(ComputesEachOnce(pool, 100, 1));
        Assert.True(SpinWait.SpinUntil(() => pool.IsAsleep, TimeSpan.FromSeconds(20)));
        Assert.True(ComputesEachOnce(pool, 100, 1));
    }

    [Theory]
    [InlineData("0-3", 4, 2)]
    [InlineData("0,2", 2, 2)]
    [InlineData("0-1", 2, 1)]
    [InlineData("0-3", 1, 1)]
    [InlineData("0-9", 10, 10)]
    [InlineData("nonsense", 3, 3)]
    [InlineData(null, 3, 3)]
    public void Physical_cores_are_counted_among_those_the_process_may_use(string? allowed, int processors, int expected)
    {
        var folder = Directory.CreateTempSubdirectory("kvprefetch-cores-");
        try
        {
            // Four processors on two cores: 0 and 1 share one, 2 and 3 the other.
            for (var i = 0; i < 4; i++)
            {
                Directory.CreateDirectory(Path.Combine(folder.FullName, $"cpu{i}/topology"));
                File.WriteAllText(Path.Combine(folder.FullName, $"cpu{i}/topology/thread_siblings_list"), i < 2 ? "0-1\n" : "2-3\n");
            }

            var status = Path.Combine(folder.FullName, "status");
            File.WriteAllText(status, allowed is null ? "Name:\ttest\n" : $"Name:\ttest\nCpus_allowed_list:\t{allowed}\n");
            Assert.Equal(expected, Processors.Count(folder.FullName, status, processors));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static bool ComputesEachOnce(WorkerPool pool, int items, int grain)
    {
        var counts = new int[items];
        fixed (int* to = counts)
        {
            var job = new CountingJob { Counts = to, Threads = pool.Threads };
            pool.Run(ref job, items, grain);
        }

        return counts.All(c => c == 1);
    }

    private struct CountingJob : IParallelJob
    {
        public int* Counts;
        public int Threads;

        public readonly void Run(int from, int end, int thread)
        {
            Debug.Assert(thread >= 0 && thread < Threads);
            for (var i = from; i < end; i++)
            {
                Interlocked.Increment(ref Counts[i]);
            }
        }
    }
}
