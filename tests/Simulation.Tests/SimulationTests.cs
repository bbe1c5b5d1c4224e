using System.Diagnostics;
using Xunit.v3;

namespace KvPrefetch.Tests.Simulation;

public class SimulationTests
{
    private const int LeastSeeds = 200;

    private static ITestOutputHelper Output => TestContext.Current.TestOutputHelper!;

    /// <summary>KVPREFETCH_SIMULATION_SEED replays one seed, or starts there.</summary>
    private static ulong FirstSeed => ulong.TryParse(Environment.GetEnvironmentVariable("KVPREFETCH_SIMULATION_SEED"), out var seed) ? seed : 1;

    [Fact]
    public void KV02_KV03_KV04_no_request_sees_another_whatever_the_load_and_the_faults()
    {
        var clock = Stopwatch.StartNew();
        var (seed, steps, requests, preemptions, forced, hits) = (FirstSeed, 0L, 0L, 0L, 0L, 0L);
        for (; seed < FirstSeed + LeastSeeds || clock.Elapsed.TotalSeconds < TestAssets.FuzzSeconds; seed++)
        {
            var simulation = new SimulatedRun(seed);
            simulation.Run();
            steps += simulation.Steps;
            requests += simulation.Requests;
            preemptions += simulation.Preemptions;
            forced += simulation.Forced;
            hits += simulation.PrefixHitTokens;
        }

        Output.WriteLine($"seeds {FirstSeed} to {seed - 1}: {steps} steps, {requests} requests, {preemptions} preemptions, {forced} forced runs, {hits} tokens found in the cache; {steps / clock.Elapsed.TotalSeconds:F0} steps a second");
        Assert.True(preemptions > 1000, "the load must make pages scarce");
        Assert.True(forced > 1000, "tokens must be forced");
        Assert.True(hits > 5_000, "prompts must share their beginnings");
    }

    [Fact]
    public void The_same_seed_takes_the_same_steps()
    {
        for (var seed = 1UL; seed <= 10; seed++)
        {
            var (first, second) = (new SimulatedRun(seed), new SimulatedRun(seed));
            first.Run();
            second.Run();
            Assert.Equal((first.Trace, first.Steps), (second.Trace, second.Steps));
            Assert.NotEqual(first.Trace, new SimulatedRun(seed + 1).Trace);
        }
    }
}
