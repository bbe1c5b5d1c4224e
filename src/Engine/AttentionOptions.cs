namespace KvPrefetch.Engine;

/// <summary>Which kernel computes attention on a card for sequences that generate. All give the same tokens within rounding; they differ in speed.</summary>
public enum AttentionKernel
{
    /// <summary>Split over the context, the heads of a group together, pages copied ahead into shared memory.</summary>
    Prefetch,

    /// <summary>The structure that arXiv 2504.06319 starts from, one block for each head and sequence, for comparison; <see cref="PrefetchPolicy.L2"/> is its prefetch.</summary>
    Paper,

    /// <summary>The plain kernel that also computes prompts.</summary>
    Reference,
}

/// <summary>What attention on a card asks for before it needs it. No policy changes a bit of the result.</summary>
public enum PrefetchPolicy
{
    /// <summary>What measured best for the kernel: <see cref="Rings"/> where the card can, else <see cref="Off"/>.</summary>
    Auto,

    /// <summary>Nothing.</summary>
    Off,

    /// <summary>Coming pages into the L2 cache.</summary>
    L2,

    /// <summary>Old pages into shared memory before the kernel in front has ended. Not in the kernel of the paper.</summary>
    Rings,
}
