namespace KvPrefetch.Tools.Evaluate;

/// <summary>One conversation and what it must come to.</summary>
/// <param name="Category">Whose bar it counts for.</param>
/// <param name="Kind">What of the category it tries: says where a model is weak.</param>
/// <param name="Run">Holds the conversation; null where it passed, else a sentence that says what was wrong.</param>
internal sealed record Case(string Category, string Kind, Func<Dialogue, Task<string?>> Run);

/// <summary>A line of the table.</summary>
/// <param name="Name">Of the category.</param>
/// <param name="What">In a few words.</param>
/// <param name="Bar">Share that must pass; null where none is set.</param>
internal sealed record Category(string Name, string What, double? Bar)
{
    /// <summary>All of them, in the order of the table.</summary>
    public static readonly Category[] All =
    [
        new("tools", "chooses the right one of several tools and fills its arguments", 0.95),
        new("unseen-tools", "the same with tools it was never trained on, by their description", 0.80),
        new("results", "uses a tool's result in its answer", 0.95),
        new("no-tool", "answers without a call where no tool fits", 0.95),
        new("memory", "knows a name or a number five turns later", 0.95),
        new("system", "follows a system prompt's language or tone", 0.90),
        new("extract", "fills the fields of a JSON schema from a text", 0.90),
        new("skills", "copies, counts, sorts, writes in capitals", 0.90),
        new("about", "says what it is, how to load another model, what prefetch does", 0.95),
        new("unknown", "says that it does not know", null),
    ];

    /// <summary>Every case, always the same.</summary>
    public static IEnumerable<Case> Cases() =>
    [
        .. Tools.Cases(), .. UnseenTools.Cases(), .. Results.Cases(), .. NoTool.Cases(), .. Memory.Cases(), .. SystemPrompts.Cases(), .. Extraction.Cases(), .. Skills.Cases(), .. About.Cases(), .. Unknown.Cases(),
    ];
}
