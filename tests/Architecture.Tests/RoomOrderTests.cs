namespace KvPrefetch.Tests.Architecture;

/// <summary>One straight corridor; doors open only downwards.</summary>
public class RoomOrderTests
{
    [Fact]
    public void Every_type_lives_in_a_room_that_the_table_knows()
    {
        var homeless = Compiled.Engine.Types().Concat(Compiled.Provider.Types())
            .Where(type => !Rooms.MayKnow.ContainsKey(type.Room))
            .Select(type => $"{type.Type} lives in the room '{type.Room}', which the table in Rooms.cs does not know.");
        AssertNone(homeless);
    }

    [Fact]
    public void Every_room_of_the_engine_knows_only_the_rooms_below_it() => AssertNone(Compiled.Engine.Edges().Select(Rooms.Violation));

    [Fact]
    public void The_provider_knows_only_the_engine_s_front_and_text_rooms() => AssertNone(Compiled.Provider.Edges().Select(Rooms.Violation));

    [Fact]
    public void The_table_has_no_way_back()
    {
        var done = new HashSet<string>(StringComparer.Ordinal);
        var path = new List<string>();
        foreach (var room in Rooms.MayKnow.Keys)
        {
            Walk(room);
        }

        void Walk(string room)
        {
            Assert.True(Rooms.MayKnow.ContainsKey(room), $"{room} is named in the table but has no row");
            Assert.False(path.Contains(room, StringComparer.Ordinal), "the table lets rooms know each other in a ring: " + string.Join(" -> ", path) + " -> " + room);
            if (!done.Add(room))
            {
                return;
            }

            path.Add(room);
            foreach (var next in Rooms.MayKnow[room])
            {
                Walk(next);
            }

            path.RemoveAt(path.Count - 1);
        }
    }

    [Fact]
    public void Native_code_is_called_only_from_the_driver_and_the_assembler()
    {
        var elsewhere = Compiled.Engine.NativeCalls().Concat(Compiled.Provider.NativeCalls())
            .Where(call => !Rooms.NativeCallers.Contains(call.Room, StringComparer.Ordinal))
            .Select(call => $"{call.Type} ({call.Room}) calls native code in {call.Member}; only {string.Join(" and ", Rooms.NativeCallers)} may.");
        AssertNone(elsewhere);
    }

    [Fact]
    public void A_fabricated_edge_upwards_is_named_with_both_types_and_the_rule()
    {
        var message = Rooms.Violation(new Edge("KvPrefetch.Engine.Scheduling.Scheduler", "Scheduling", "KvPrefetch.Engine.Backends.IBackend", "Backends", "Next"));
        Assert.Equal(
            "KvPrefetch.Engine.Scheduling.Scheduler (Scheduling) uses KvPrefetch.Engine.Backends.IBackend (Backends) in Next; Scheduling may know only: Requests, KvCache.",
            message);
        Assert.Null(Rooms.Violation(new Edge("KvPrefetch.Engine.Scheduling.Scheduler", "Scheduling", "KvPrefetch.Engine.KvCache.PagePool", "KvCache", "Next")));
    }

    [Fact]
    public void A_planted_use_that_no_signature_shows_is_found_in_the_instructions()
    {
        var violation = Assert.Single(Compiled.Self.Edges().Select(Rooms.Violation), message => message is not null);
        Assert.Contains("KvPrefetch.Engine.Scheduling.PlantedScheduler (Scheduling) uses KvPrefetch.Engine.Backends.PlantedDevice (Backends)", violation, StringComparison.Ordinal);
    }

    [Fact]
    public void A_planted_native_call_is_found()
    {
        // What all test projects share has a native call of its own, in no room.
        var call = Assert.Single(Compiled.Self.NativeCalls(), native => native.Room is not null);
        Assert.Equal(("KvPrefetch.Engine.Scheduling.PlantedScheduler", "Scheduling", "Call"), call);
    }

    [Theory]
    [InlineData("KvPrefetch.Engine.Text.Tokenization.PreTokenizers", "Text.Tokenization")]
    [InlineData("KvPrefetch.Engine.Backends.Cpu.Assembly", "Backends.Cpu.Assembly")]
    [InlineData("KvPrefetch.Engine.Backends.Metal", "Backends.Metal")]
    [InlineData("KvPrefetch.Engine.Attic", "Attic")]
    [InlineData("KvPrefetch.AI.Anything", Rooms.Provider)]
    [InlineData("System.Runtime.CompilerServices", null)]
    public void A_folder_inside_a_room_belongs_to_it_and_a_new_room_needs_a_row(string space, string? room) => Assert.Equal(room, Rooms.Of(space, space + ".Type", isException: false));

    [Fact]
    public void Typed_errors_are_the_ground_and_the_root_is_the_top()
    {
        var rooms = Compiled.Engine.Types().ToDictionary(type => type.Type, type => type.Room, StringComparer.Ordinal);
        Assert.Equal(Rooms.Errors, rooms["KvPrefetch.Engine.KvPrefetchException"]);
        Assert.Equal(Rooms.Errors, rooms["KvPrefetch.Engine.InvalidRequestException"]);
        Assert.Equal(Rooms.Top, rooms["KvPrefetch.Engine.LlmEngine"]);
    }

    internal static void AssertNone(IEnumerable<string?> violations)
    {
        var found = violations.OfType<string>().Order(StringComparer.Ordinal).ToList();
        Assert.True(found.Count == 0, string.Join(Environment.NewLine, found));
    }
}
