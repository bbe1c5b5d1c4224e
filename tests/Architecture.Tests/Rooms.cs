namespace KvPrefetch.Tests.Architecture;

/// <summary>The house: its rooms and who may know whom. This table is the rule; everything else in this project only measures against it.</summary>
internal static class Rooms
{
    public const string Engine = "KvPrefetch.Engine";
    public const string Provider = "KvPrefetch.AI";

    /// <summary>Typed errors: the ground, which every room may know.</summary>
    public const string Errors = "Errors";

    /// <summary>The root of src/Engine (LlmEngine, Pump, Generation ...): the top, which may know every room of the engine.</summary>
    public const string Top = "(root)";

    /// <summary>Types of the root namespace that belong to the ground beside the exceptions.</summary>
    private static readonly HashSet<string> GroundTypes = new(StringComparer.Ordinal) { "KvPrefetch.Engine.ChatTemplateError", "KvPrefetch.Engine.GrammarError", "KvPrefetch.Engine.Arithmetic", "KvPrefetch.Engine.WeightFormat", "KvPrefetch.Engine.AttentionKernel", "KvPrefetch.Engine.PrefetchPolicy" };

    /// <summary>What each room may know besides itself and <see cref="Errors"/>. Nothing is inherited: an arrow that is not written here does not exist.</summary>
    public static readonly IReadOnlyDictionary<string, string[]> MayKnow = new Dictionary<string, string[]>(StringComparer.Ordinal)
    {
        [Errors] = [],
        ["Numerics"] = [],
        ["Requests"] = ["Numerics"],
        ["Checkpoints"] = ["Numerics"],
        ["Text"] = [],
        ["Text.Tokenization"] = ["Text"],
        ["Text.Templates"] = ["Text"],
        ["Text.Constraints"] = ["Text", "Text.Tokenization"],
        ["KvCache"] = ["Requests"],
        ["Scheduling"] = ["Requests", "KvCache"],
        ["Backends"] = ["Numerics"],
        ["Backends.Cpu"] = ["Backends", "Backends.Cpu.Assembly", "Numerics"],
        ["Backends.Cpu.Assembly"] = ["Numerics"],
        ["Backends.Cuda"] = ["Backends", "Backends.Cuda.Driver", "Backends.Cuda.Kernels", "Numerics"],
        ["Backends.Cuda.Driver"] = ["Numerics"],
        ["Backends.Cuda.Kernels"] = ["Backends", "Backends.Cuda.Driver", "Numerics"],
        ["Layers"] = ["Backends", "Checkpoints", "Numerics"],
        ["Models"] = ["Layers", "Backends", "Checkpoints", "Numerics"],
        ["Sampling"] = ["Requests", "Backends", "Numerics"],
        ["Execution"] = ["Models", "Backends", "Requests", "Numerics"],
        [Top] =
        [
            "Numerics", "Requests", "Checkpoints", "Text", "Text.Tokenization", "Text.Templates", "Text.Constraints", "KvCache", "Scheduling",
            "Backends", "Backends.Cpu", "Backends.Cuda", "Layers", "Models", "Sampling", "Execution",
        ],
        [Provider] = [Top, "Requests", "Text", "Text.Tokenization", "Text.Templates", "Text.Constraints"],
    };

    /// <summary>The only rooms that may call native code.</summary>
    public static readonly string[] NativeCallers = ["Backends.Cpu.Assembly", "Backends.Cuda.Driver"];

    /// <summary>The room of a type, or null where the compiler or a generator made it.</summary>
    /// <param name="space">Namespace of the outermost type.</param>
    /// <param name="fullName">Full name of the outermost type.</param>
    /// <param name="isException">Whether it derives from <see cref="Exception"/>.</param>
    public static string? Of(string space, string fullName, bool isException)
    {
        if (space == Provider || space.StartsWith(Provider + ".", StringComparison.Ordinal))
        {
            return Provider;
        }

        if (space == Engine)
        {
            return isException || GroundTypes.Contains(fullName) ? Errors : Top;
        }

        return space.StartsWith(Engine + ".", StringComparison.Ordinal) ? RoomOfFolder(space[(Engine.Length + 1)..]) : null;
    }

    /// <summary>A room's folders belong to it; but beside rooms within a room (a further backend) everything must have a row of its own.</summary>
    private static string RoomOfFolder(string folder)
    {
        var room = folder;
        while (!MayKnow.ContainsKey(room) && room.LastIndexOf('.') is > 0 and var dot)
        {
            room = room[..dot];
        }

        return room == folder || (MayKnow.ContainsKey(room) && !MayKnow.Keys.Any(other => other.StartsWith(room + ".", StringComparison.Ordinal))) ? room : folder;
    }

    /// <summary>Null where the edge is allowed, else one sentence that names both types and the rule.</summary>
    public static string? Violation(Edge edge)
    {
        if (edge.FromRoom == edge.ToRoom || edge.ToRoom == Errors)
        {
            return null;
        }

        if (!MayKnow.TryGetValue(edge.FromRoom, out var known))
        {
            return $"{edge.From} lives in the room '{edge.FromRoom}', which the table in Rooms.cs does not know.";
        }

        return known.Contains(edge.ToRoom, StringComparer.Ordinal)
            ? null
            : $"{edge.From} ({edge.FromRoom}) uses {edge.To} ({edge.ToRoom}) in {edge.Member}; {edge.FromRoom} may know only: " +
              (known.Length == 0 ? "nothing." : string.Join(", ", known) + ".");
    }
}

/// <summary>One type uses another.</summary>
/// <param name="Member">Member of <paramref name="From"/> where this was seen first.</param>
internal readonly record struct Edge(string From, string FromRoom, string To, string ToRoom, string Member);
