namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>What both decode attention kernels take: addresses on the card, and the shape.</summary>
internal readonly struct PagedAttentionInputs
{
    /// <summary>The first query row, its elements of the variant's type.</summary>
    public required nint Q { get; init; }
    public required nint Output { get; init; }

    /// <summary>Elements from row to row.</summary>
    public required long QStride { get; init; }
    public required long OutputStride { get; init; }
    public required nint Keys { get; init; }
    public required nint Values { get; init; }

    /// <summary>int32 <c>[rows]</c></summary>
    public required nint Positions { get; init; }

    /// <summary>int32 <c>[sequences + 1]</c>, or 0 where every sequence has one row. Sequences with more rows are passed over.</summary>
    public nint RowStarts { get; init; }
    public required nint BlockTableStarts { get; init; }
    public required nint BlockTables { get; init; }
    public required int Sequences { get; init; }
    public required AttentionShape Shape { get; init; }
}

/// <summary>What decode attention asks for ahead of its need. No choice changes a bit of the result.</summary>
internal enum PrefetchMode
{
    Off,

    /// <summary>Coming pages into L2, a distance ahead: the paper's method.</summary>
    L2,

    /// <summary>As <see cref="L2"/>, the same instruction aimed at what is being read anyway: what a claim about L2 is compared with.</summary>
    Control,

    /// <summary>Old pages on their way into shared memory before the kernel in front has ended.</summary>
    Rings,
}
