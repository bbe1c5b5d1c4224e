namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>How paged_attention_decode uses a multiprocessor: warps, slots of their rings, shared memory. The same sums as in the kernel.</summary>
internal readonly struct DecodeLayout
{
    private const int PageTokens = 16;

    /// <summary>Up to so many sequences each warp keeps the step's table for itself.</summary>
    private const int OwnTable = 32;

    private readonly int _tableStart;
    private readonly int _tables;

    public DecodeLayout(DecodeVariant variant, int architecture, int sharedBytes)
    {
        HeadBlocks = (variant.Group + 7) / 8;
        var blockHeads = (variant.Group + HeadBlocks - 1) / HeadBlocks;
        Records = blockHeads * variant.HeadDim / 4;
        _tables = variant.FixedSplit == 0 ? 3 : 4;
        var slab = PageTokens * variant.HeadDim * 2;
        var ring = variant.RingKilobytes * 1024;
        foreach (var (warps, rings) in ((int, int)[])[(8, ring), (4, ring / 2), (4, ring / 4)])
        {
            // A slim ring is to leave room: one buffer is enough for the few pieces of a CTA.
            foreach (var staging in variant.RingKilobytes < 128 ? (int[])[1] : [2, 1])
            {
                (Warps, Staging) = (warps, staging);
                Stages = Math.Clamp(rings / (warps * 2 * slab), 1, 4);
                var q = architecture >= 90 ? 2 * blockHeads * ((variant.HeadDim * (variant.QType == 0 ? 4 : 2)) + 16) : 0;
                _tableStart = (warps * Stages * 2 * slab) + (staging * warps * blockHeads * (variant.HeadDim + 4) * 4) + Up(staging * warps * blockHeads * 8) + Up(q) + Up(((warps * Stages * 2) + 6) * 8);
                if (SharedBytes(DecodeAttention.MaxSequences) + 512 <= sharedBytes)
                {
                    return;
                }
            }
        }
    }

    public int Warps { get; }

    /// <summary>Slots of a warp's ring.</summary>
    public int Stages { get; }

    /// <summary>Buffers in which the warps' results meet.</summary>
    public int Staging { get; }

    /// <summary>Blocks of up to 8 query heads that a KV head's group makes.</summary>
    public int HeadBlocks { get; }

    /// <summary>Records of a partial result: 4 elements each.</summary>
    public int Records { get; }

    public int SharedBytes(int sequences) => _tableStart + (sequences <= OwnTable ? Warps * ((4 * OwnTable) + 2) * 4 : _tables * 4 * (sequences + 1));

    private static int Up(int bytes) => (bytes + 15) / 16 * 16;
}
