namespace KvPrefetch.AI.ToolCalls;

/// <summary>What reasoning is put between.</summary>
internal sealed record ReasoningTags(string Start, string End)
{
    /// <summary>A word that stands behind the opening tag and is not reasoning; null where none does.</summary>
    public string? Label { get; init; }

    public static ReasoningTags Think { get; } = new("<think>", "</think>");
}
