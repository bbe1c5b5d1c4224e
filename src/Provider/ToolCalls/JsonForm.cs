using System.Text.Json;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>How a family writes a call as JSON.</summary>
internal sealed record JsonForm
{
    /// <summary>All calls stand in one array.</summary>
    public bool IsArray { get; init; }

    /// <summary>Each call stands on a line of its own.</summary>
    public bool HasLines { get; init; } = true;

    /// <summary>The member with the name; null where the name is itself the only member.</summary>
    public string? Name { get; init; } = "name";

    public string Arguments { get; init; } = "arguments";

    public GrammarPart Call(string name, JsonElement schema) => CallGrammar.Join(
        CallGrammar.Text(Name is null ? $"{{\"{name}\": " : $"{{\"{Name}\": \"{name}\", \"{Arguments}\": "),
        CallGrammar.Arguments(schema),
        CallGrammar.Text("}"));
}
