using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using KvPrefetch.Engine.Backends.Cuda.Kernels;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>The variants of every kernel: their macros, threads and budgets.</summary>
internal static class CudaKernels
{
    /// <summary>Widest state of a selective scan.</summary>
    public const int MaxScanState = 512;

    /// <summary>Widest head of keys of a gated delta rule.</summary>
    public const int MaxKeyDim = 1024;

    private const int PrefillThreads = 128;

    private const int TileStages = 4;

    /// <summary>So that a variant is one object, however often it is asked for.</summary>
    private static readonly ConcurrentDictionary<(string Name, int A, int B), KernelSpec> Known = new();

    private static readonly DType[] Types = [DType.F32, DType.F16, DType.BF16];

    public static KernelSpec RmsNorm { get; } = Of<RmsNormParams>("rms_norm", 256) with { Overlaps = true };
    public static KernelSpec LayerNorm { get; } = Of<LayerNormParams>("layer_norm", 256);
    public static KernelSpec GatherRows { get; } = Of<GatherRowsParams>("gather_rows", 256) with { Overlaps = true };
    public static KernelSpec RotaryTable { get; } = Of<RotaryTableParams>("rotary_table", 64) with { Overlaps = true };
    public static KernelSpec Arrange { get; } = Of<ArrangeParams>("arrange", 512);
    public static KernelSpec CombineExperts { get; } = Of<CombineExpertsParams>("combine_experts", 256);

    /// <summary>Logits of a part, and parts of a row at most.</summary>
    public const int LogitPart = 256 * 16, MaxLogitParts = 64;

    public static KernelSpec LogitParts { get; } = Of<LogitPartsParams>("logit_parts", 256, ("PER", 16), ("CANDIDATES", LogitSummary.Candidates));
    public static KernelSpec LogitRows { get; } = Of<LogitRowsParams>("logit_rows", 1024, ("PER", MaxLogitParts * LogitSummary.Candidates / 1024), ("CANDIDATES", LogitSummary.Candidates)) with { RegisterBudget = 64 };
    public static KernelSpec LogitRuns { get; } = Of<LogitRunsParams>("logit_runs", 128, ("CANDIDATES", LogitSummary.Candidates));

    public static KernelSpec Embed(DType type) => Known.TryGetValue(("Embed", (int)type, 0), out var known) ? known
        : Known.GetOrAdd(("Embed", (int)type, 0), Of<EmbedParams>("embed", 256, ("TYPE", Number(type))));

    /// <param name="operation">0: add; 1: scale and cap; 2: add gated.</param>
    public static KernelSpec Elementwise(int operation) => Known.TryGetValue(("Elementwise", operation, 0), out var known) ? known
        : Known.GetOrAdd(("Elementwise", operation, 0), Of<ElementwiseParams>("elementwise", 256, ("OPERATION", operation)) with { Overlaps = true });

    /// <param name="mode">0: plain; 1: the gated unit's two halves; 2: by another matrix.</param>
    public static KernelSpec Activate(int mode) => Known.TryGetValue(("Activate", mode, 0), out var known) ? known
        : Known.GetOrAdd(("Activate", mode, 0), Of<ActivateRowsParams>("activate_rows", 256, ("MODE", mode)) with { Overlaps = true });

    public static KernelSpec Linear(DType type, int rows) => Known.TryGetValue(("Linear", (int)type, rows), out var known) ? known
        : Known.GetOrAdd(("Linear", (int)type, rows), Of<LinearParams>("linear", 256, ("TYPE", Number(type)), ("ROWS", rows)) with { RegisterBudget = 128 });

    public static KernelSpec ConvertRows(DType type) => Known.TryGetValue(("ConvertRows", (int)type, 0), out var known) ? known
        : Known.GetOrAdd(("ConvertRows", (int)type, 0), Of<ConvertRowsParams>("convert_rows", 256, ("TYPE", Number(type))) with { Overlaps = true });

    /// <param name="type">F16 or BF16.</param>
    /// <param name="tile">Rows and columns of a block: 64 or 128.</param>
    public static KernelSpec LinearTiles(DType type, int tile) => Known.TryGetValue(("LinearTiles", (int)type, tile), out var known) ? known
        : Known.GetOrAdd(("LinearTiles", (int)type, tile), Of<LinearTilesParams>("linear_tiles", tile == 128 ? 256 : 128, ("TYPE", Number(type)), ("TILE", tile), ("STAGES", TileStages)) with { SharedBytes = TileStages * 2 * tile * 40 * 2 });

    public static KernelSpec ExpertLinear(DType type, int rows) => Known.TryGetValue(("ExpertLinear", (int)type, rows), out var known) ? known
        : Known.GetOrAdd(("ExpertLinear", (int)type, rows), Of<ExpertLinearParams>("expert_linear", 256, ("TYPE", Number(type)), ("ROWS", rows)) with { RegisterBudget = 128 });

    public static KernelSpec PackedLinear(CodeFormat format, int rows) => Known.TryGetValue(("PackedLinear", (int)format, rows), out var known) ? known
        : Known.GetOrAdd(("PackedLinear", (int)format, rows), Of<PackedLinearParams>("packed_linear", 256, ("FORMAT", (int)format), ("ROWS", rows)) with { RegisterBudget = 128 });

    public static KernelSpec Unpack(CodeFormat format, DType type) => Known.TryGetValue(("Unpack", (int)format, (int)type), out var known) ? known
        : Known.GetOrAdd(("Unpack", (int)format, (int)type), Of<UnpackParams>("unpack", 128, ("FORMAT", (int)format), ("TYPE", Number(type))));

    public static KernelSpec RotateAndStore(DType pages) => Known.TryGetValue(("RotateAndStore", (int)pages, 0), out var known) ? known
        : Known.GetOrAdd(("RotateAndStore", (int)pages, 0), Of<RotateAndStoreParams>("rotate_and_store", 256, ("KV", Number(pages))) with { Overlaps = true });

    /// <param name="pages">Type of the pages.</param>
    /// <param name="headDim">Elements of a key.</param>
    /// <param name="valuesInKeys">The last so many elements of the keys are the values; 0: values are as long as keys and stored beside them.</param>
    public static KernelSpec PagedAttention(DType pages, int headDim, int valuesInKeys = 0) => Known.TryGetValue(("PagedAttention", (int)pages, (headDim << 16) | valuesInKeys), out var known) ? known
        : Known.GetOrAdd(("PagedAttention", (int)pages, (headDim << 16) | valuesInKeys), Of<PagedAttentionParams>("paged_attention", 128, ("HEAD_DIM", headDim), ("VALUE_DIM", valuesInKeys == 0 ? headDim : valuesInKeys),
            ("VALUES_IN_KEYS", valuesInKeys == 0 ? 0 : 1), ("KV", Number(pages))) with { RegisterBudget = 128 });

    /// <param name="headDim">A multiple of 16, at most 256.</param>
    /// <param name="kvType">1 float16, 2 bfloat16.</param>
    /// <param name="softCap">Whether scores are capped.</param>
    /// <param name="rowTiles">Times 16 rows of a warp: 2, where registers allow it, else 1.</param>
    public static KernelSpec PagedAttentionPrefill(int headDim, int kvType, bool softCap, int rowTiles) => Known.TryGetValue(("PagedAttentionPrefill", headDim, (rowTiles << 3) | (kvType << 1) | (softCap ? 1 : 0)), out var known) ? known
        : Known.GetOrAdd(("PagedAttentionPrefill", headDim, (rowTiles << 3) | (kvType << 1) | (softCap ? 1 : 0)), Of<PagedAttentionParams>("paged_attention_prefill", PrefillThreads, ("HEAD_DIM", headDim), ("ELEMENT_F16", kvType == 1 ? 1 : 0),
            ("SOFT_CAP", softCap ? 1 : 0), ("PIECE", PrefillPiece(headDim, rowTiles)), ("ROW_TILES", rowTiles)) with { SharedBytes = (PrefillQueries(rowTiles) + (4 * PrefillPiece(headDim, rowTiles))) * headDim * 2 });

    /// <summary>What was fastest on an H200.</summary>
    public static int PrefillRowTiles(int headDim) => headDim <= 128 ? 2 : 1;

    /// <summary>Rows of a sequence that a block of paged_attention_prefill takes.</summary>
    public static int PrefillQueries(int rowTiles) => PrefillThreads / 32 * 16 * rowTiles;

    public static KernelSpec ShortConvolution(int width) => Known.TryGetValue(("ShortConvolution", width, 0), out var known) ? known
        : Known.GetOrAdd(("ShortConvolution", width, 0), Of<ShortConvolutionParams>("short_convolution", 128, ("WIDTH", width)));

    public static KernelSpec SelectiveScan(int stateSize) => Known.TryGetValue(("SelectiveScan", stateSize, 0), out var known) ? known
        : Known.GetOrAdd(("SelectiveScan", stateSize, 0), Of<SelectiveScanParams>("selective_scan", 128, ("PER", (stateSize + 31) / 32)));

    public static KernelSpec GatedDelta { get; } = Of<GatedDeltaParams>("gated_delta", 64);

    public static KernelSpec MatchMagnitude { get; } = Of<MatchMagnitudeParams>("match_magnitude", 256);

    public static KernelSpec CutBelow { get; } = Of<CutBelowParams>("cut_below", 256);

    public static KernelSpec Route(int experts, int groups) => Known.TryGetValue(("Route", experts, groups), out var known) ? known
        : Known.GetOrAdd(("Route", experts, groups), Of<RouteParams>("route", 32) with { SharedBytes = ((2 * experts) + groups) * sizeof(float) });

    /// <summary>Every kernel, in the variants that models commonly need.</summary>
    public static IEnumerable<KernelSpec> All() =>
    [
        RmsNorm, LayerNorm, GatherRows, RotaryTable, Arrange, CombineExperts,
        Elementwise(0), Elementwise(1), Elementwise(2), Activate(0), Activate(1), Activate(2),
        .. Types.SelectMany(t => (KernelSpec[])[Embed(t), Linear(t, 1), Linear(t, 2), Linear(t, 4), Linear(t, 8), ExpertLinear(t, 1), ExpertLinear(t, 4), RotateAndStore(t)]),
        .. ((DType[])[DType.F16, DType.BF16]).SelectMany(t => (KernelSpec[])[ConvertRows(t), LinearTiles(t, 64), LinearTiles(t, 128)]),
        .. Types.SelectMany(t => ((int[])[64, 80, 96, 128, 256]).Select(d => PagedAttention(t, d))),
        .. ((int[])[64, 80, 96, 128, 256]).SelectMany(d => (KernelSpec[])[PagedAttentionPrefill(d, 2, softCap: false, PrefillRowTiles(d)), PagedAttentionPrefill(d, 2, softCap: true, PrefillRowTiles(d)), PagedAttentionPrefill(d, 1, softCap: false, PrefillRowTiles(d))]),
        .. DecodeKernels(), .. SmallKernels(), Yardsticks.ReadRate, Yardsticks.StreamFloor(64), Yardsticks.StreamFloor(128),
        PagedAttention(DType.F32, 6), PagedAttention(DType.F32, 18, 1), PagedAttention(DType.BF16, 576, 512), ShortConvolution(1), ShortConvolution(4), ShortConvolution(16),
        SelectiveScan(16), SelectiveScan(128), SelectiveScan(MaxScanState), GatedDelta, MatchMagnitude, CutBelow, Route(2048, 2048), LogitParts, LogitRows, LogitRuns,
        .. Enum.GetValues<CodeFormat>().SelectMany(f => (KernelSpec[])[PackedLinear(f, 1), PackedLinear(f, 4), PackedLinear(f, 8), Unpack(f, DType.BF16)]),
    ];

    /// <summary>What the package carries as PTX for a card of this architecture: every kernel, decode attention for the common heads and groups, on cards with much and with little shared memory.</summary>
    public static IEnumerable<KernelSpec> Shipped(int architecture)
    {
        const int little = 101_376;
        var much = architecture >= 90 ? 232_448 : 166_912;
        IEnumerable<DecodeVariant> decodes =
            from dim in (int[])[64, 96, 128, 256]
            from @group in Enumerable.Range(1, 8)
            from variant in (DecodeVariant[])[new(dim, @group, 2), new(dim, @group, 2, OutputType: 2), new(dim, @group, 2, FixedSplit: DecodeAttention.FixedSplitPages), new(dim, @group, 2, SoftCap: true), new(dim, @group, 2, OutputType: 2, SoftCap: true), new(dim, @group, 1)]
            where !variant.SoftCap || dim >= 128
            select variant;
        return
        [
            .. All().Where(s => s.MinArchitecture <= architecture && s.Name != "paged_attention_decode"),
            .. ((int[])[2, 3]).Select(ShortConvolution),
            .. ((int[])[64, 256]).Select(SelectiveScan),
            .. ((int[])[32, 48, 112, 160, 192]).SelectMany(d => (KernelSpec[])[PagedAttention(DType.BF16, d), PagedAttention(DType.F16, d)]),
            .. architecture < 90 ? [] : CommonSmall(),
            .. decodes.SelectMany(v => (KernelSpec[])[DecodeAttention.Spec(v, architecture, much), DecodeAttention.Spec(v, architecture, little)]),
        ];
    }

    /// <summary>Products of few rows for the widths of common models.</summary>
    private static IEnumerable<KernelSpec> CommonSmall() =>
        from inputs in (int[])[576, 896, 960, 1024, 1152, 1536, 2048, 2304, 2560, 3072, 3584, 4096, 4864, 5120, 6144, 6912, 7168, 8192, 8960, 9216, 9728, 10240, 11008, 12288, 13824, 14336, 18944]
        from rows in (int[])[1, 4, 8]
        from product in (SmallProduct[])[new(DType.BF16, rows, inputs), new(DType.BF16, rows, inputs, Normed: true), new(DType.BF16, rows, inputs, SmallMode.Rotate, Normed: true),
            new(DType.BF16, rows, inputs, SmallMode.Gated, Normed: true), new(DType.BF16, rows, inputs, SmallMode.Add, Sixteen: true), new(DType.F16, rows, inputs)]
        let made = LinearSmall.Of(product, SmallTuning.Default, 232_448)
        where made is not null
        select made.Value.Spec;

    private static IEnumerable<KernelSpec> SmallKernels()
    {
        foreach (var rows in (int[])[1, 8])
        {
            foreach (var product in (SmallProduct[])
            [
                new(DType.BF16, rows, 4096), new(DType.F16, rows, 576), new(DType.BF16, rows, 2048, SmallMode.Rotate, Normed: true), new(DType.BF16, rows, 4096, SmallMode.Gated, Normed: true),
                new(DType.BF16, rows, 14336, SmallMode.Add, Sixteen: true), new(DType.F16, rows, 8192, SmallMode.Add, Sixteen: true), new(DType.BF16, rows, 4096, Normed: true),
            ])
            {
                yield return LinearSmall.Of(product, SmallTuning.Default, 232_448)!.Value.Spec;
            }
        }
    }

    private static IEnumerable<KernelSpec> DecodeKernels()
    {
        const int architecture = 90, sharedBytes = 232_448;
        foreach (var (dim, group) in ((int, int)[])[(64, 3), (80, 1), (96, 2), (128, 4), (128, 12), (256, 8)])
        {
            yield return DecodeAttention.Spec(new DecodeVariant(dim, group, 2), architecture, sharedBytes);
            yield return DecodeAttention.Spec(new DecodeVariant(dim, group, 1, SoftCap: true, FixedSplit: DecodeAttention.FixedSplitPages, Prefetch: PrefetchMode.L2), architecture, sharedBytes);
            yield return PaperAttention.Spec(dim, 2, PrefetchMode.Off);
            yield return PaperAttention.Spec(dim, 1, PrefetchMode.L2);
        }
    }

    private static int PrefillPiece(int headDim, int rowTiles) => headDim * rowTiles <= 128 ? 64 : 32;

    /// <summary>As bf16.cuh numbers them.</summary>
    private static int Number(DType type) => type switch
    {
        DType.F32 => 0,
        DType.F16 => 1,
        DType.BF16 => 2,
        _ => throw new DeviceException(DeviceException.Unsupported, $"The CUDA backend does not compute with {type}."),
    };

    private static KernelSpec Of<TParams>(string name, int threads, params ReadOnlySpan<(string Name, int Value)> defines)
        where TParams : unmanaged => new(name, Unsafe.SizeOf<TParams>(), threads) { Defines = [.. defines] };
}
