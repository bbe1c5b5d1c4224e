using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Tests.Simulation;

/// <summary>The test of the tests: a simulation that cannot fail proves nothing.</summary>
public class PlantedBugTests
{
    private static ITestOutputHelper Output => TestContext.Current.TestOutputHelper!;

    public static TheoryData<int> All => new(Enum.GetValues<Bug>().Where(b => b != Bug.None).Select(b => (int)b));

    /// <summary>Those that only the tokens betray once the invariants look away.</summary>
    public static TheoryData<int> SeenInTokens => new(new[]
    {
        Bug.SwappedPages, Bug.SharedPage, Bug.SharedSlot, Bug.PageFreedTooEarly, Bug.WindowedPageFreedTooEarly, Bug.LastTokenOfChunkNotStored, Bug.StaleAfterPreemption, Bug.TokensOfTwoRequestsExchanged,
        Bug.CachedPageOverwritten,
    }.Select(b => (int)b));

    [Theory]
    [MemberData(nameof(All))]
    public void KV08_a_planted_bug_is_caught(int bug) => AssertCaught((Bug)bug, checksInvariants: true);

    [Theory]
    [MemberData(nameof(SeenInTokens))]
    public void The_oracle_alone_catches_what_corrupts_pages(int bug) => AssertCaught((Bug)bug, checksInvariants: false);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(10)]
    [InlineData(11)]
    public void The_history_checker_sees_a_corrupted_history(int corruption)
    {
        var simulation = new SimulatedRun(3);
        simulation.Run();
        var events = simulation.Events.ToList();
        Assert.Null(Check());

        // A request that gave five tokens and ended by itself, without having been disturbed.
        var ends = events.FindIndex(e => e is { Kind: EventKind.End, Value: >= 5, Reason: FinishReason.Length });
        var id = events[ends].Request;
        var submitted = events.FindIndex(e => e.Request == id && e.Kind == EventKind.Submit);
        var tokens = Enumerable.Range(0, events.Count).Where(i => events[i].Request == id && events[i].Kind == EventKind.Token).ToArray();
        var (a, b) = (tokens[0], tokens.First(t => events[t].Value != events[tokens[0]].Value));
        switch (corruption)
        {
            case 0:
                events.RemoveAt(tokens[2]);
                break;
            case 1:
                events.Insert(tokens[^1], events[tokens[^1]]);
                break;
            case 2:
                events[tokens[3]] = events[tokens[3]] with { Value = (events[tokens[3]].Value + 1) % Scenario.Vocabulary };
                break;
            case 3:
                (events[a], events[b]) = (events[b], events[a]);
                break;
            case 4:
                events.Add(events[tokens[^1]]);
                break;
            case 5:
                events.Add(events[ends]);
                break;
            case 6:
                events.RemoveAt(ends);
                break;
            case 7:
                events.RemoveAt(submitted);
                break;
            case 8:
                events.Insert(submitted, events[submitted]);
                break;
            case 9:
                events[ends] = events[ends] with { Reason = FinishReason.Stop };
                break;
            case 10:
                events[ends] = events[ends] with { Reason = FinishReason.Cancelled };
                break;
            case 11:
                events.Insert(tokens[2], new Event(id, EventKind.CancelAsked));
                break;
        }

        Assert.NotNull(Check());

        string? Check() => History.FirstViolation(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(events), simulation.Facts, simulation.TokenCapacity);
    }

    private static void AssertCaught(Bug bug, bool checksInvariants)
    {
        var (fired, caught) = (0, 0);
        var messages = new SortedSet<string>(StringComparer.Ordinal);
        for (var seed = 1UL; fired < 60 && seed < 1000; seed++)
        {
            var simulation = new SimulatedRun(seed, bug, checksInvariants);
            try
            {
                simulation.Run();
            }
            catch (SimulationFailedException error)
            {
                caught++;
                Assert.True(simulation.BugFired, error.Message);
                messages.Add(error.Message[(error.Message.IndexOf(": ", StringComparison.Ordinal) + 2)..]);
            }

            fired += simulation.BugFired ? 1 : 0;
        }

        Output.WriteLine($"{bug}: {caught} of {fired} caught, for instance: {messages.Min}");

        // A bug can hit a request that is cancelled, or a row that is skipped, before it could be seen.
        Assert.InRange(fired, 60, 60);
        Assert.InRange(caught, 45, 60);
    }
}
