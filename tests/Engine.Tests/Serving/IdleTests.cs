using System.Globalization;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Tests.Serving;

public sealed class IdleTests
{
    /// <summary>Processor time of this engine's own threads, as Linux counts it, over a second that begins a tenth after the last token: less than one per cent of a core.</summary>
    [Fact]
    public async Task An_engine_without_work_leaves_the_processor_alone()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "threads are told apart by /proc");
        using var model = TinyModel.Create();
        var before = Threads();
        using var engine = LlmEngine.Load(model.Path, new EngineOptions { Backend = ComputeBackend.Cpu, Threads = 3 });
        await using (var generation = engine.Submit(new GenerationRequest { Prompt = (int[])[1, 2, 3], MaxOutputTokens = 8, Sampling = new SamplingOptions { Temperature = 0 }, StopTokens = [] }))
        {
            await foreach (var piece in generation.ReadAllAsync(TestContext.Current.CancellationToken))
            {
                Assert.NotNull(piece.Text);
            }
        }

        // Other tests' engines have such threads too: only those that came with this one count, unless another test started some meanwhile, which then do work of their own.
        var ours = Threads().Keys.Except(before.Keys).ToArray();
        Assert.NotEmpty(ours);
        var best = double.MaxValue;
        for (var attempt = 0; attempt < 5 && best > 0.01; attempt++)
        {
            await Task.Delay(100, TestContext.Current.CancellationToken);
            var start = Threads();
            await Task.Delay(1000, TestContext.Current.CancellationToken);
            var end = Threads();
            best = Math.Min(best, ours.Sum(t => end.GetValueOrDefault(t) - start.GetValueOrDefault(t)));
        }

        Assert.InRange(best, 0, 0.01);
    }

    /// <summary>Seconds of processor time by thread, of threads whose name is ours. A tick is 10 ms.</summary>
    private static Dictionary<int, double> Threads()
    {
        var times = new Dictionary<int, double>();
        foreach (var folder in Directory.EnumerateDirectories("/proc/self/task"))
        {
            try
            {
                var stat = File.ReadAllText(Path.Combine(folder, "stat"));
                var (open, close) = (stat.IndexOf('('), stat.LastIndexOf(')'));
                if (stat[(open + 1)..close].StartsWith("KvPrefetch", StringComparison.Ordinal))
                {
                    var fields = stat[(close + 2)..].Split(' ');
                    times[int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture)] = (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)) / 100.0;
                }
            }
            catch (IOException)
            {
                // The thread has ended.
            }
        }

        return times;
    }
}
