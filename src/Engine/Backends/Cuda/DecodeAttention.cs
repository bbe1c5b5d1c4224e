using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends.Cuda.Driver;
using KvPrefetch.Engine.Backends.Cuda.Kernels;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>A compiled form of paged_attention_decode.</summary>
/// <param name="HeadDim">A multiple of 16, at most 256.</param>
/// <param name="Group">Query heads per KV head.</param>
/// <param name="KvType">TypeCode of the pages: 1 float16, 2 bfloat16.</param>
/// <param name="QType">Of the queries: 0 float32, else that of the pages.</param>
/// <param name="OutputType">0 float32, 1 float16, 2 bfloat16.</param>
/// <param name="SoftCap">Whether scores are capped.</param>
/// <param name="FixedSplit">Pages at whose multiples a context may be cut; 0: wherever the batch has it.</param>
/// <param name="LeastUnits">Pages of a CTA at least, where splits are free.</param>
/// <param name="Prefetch">What is asked for ahead.</param>
/// <param name="Distance">Of L2, in fillings of the ring.</param>
/// <param name="RingKilobytes">On their way per multiprocessor at once: enough to keep the memory busy; more makes the slowest CTA slower.</param>
internal readonly record struct DecodeVariant(int HeadDim, int Group, int KvType, int QType = 0, int OutputType = 0, bool SoftCap = false, int FixedSplit = 0, int LeastUnits = 8, PrefetchMode Prefetch = PrefetchMode.Off, int Distance = 1, int RingKilobytes = 128);

/// <summary>How decode attention uses a multiprocessor.</summary>
/// <param name="RingKilobytes">On their way at once.</param>
/// <param name="LeastUnits">Pages of a CTA at least, where splits are free.</param>
internal readonly record struct DecodeTuning(int RingKilobytes, int LeastUnits)
{
    /// <summary>As measured on an H200 (benchmarks/results/step-h200.md): where few sequences are read, half the ring leaves the products' weights their share.</summary>
    public static DecodeTuning Default(int sequences) => new(sequences <= 4 ? 64 : 128, 8);
}

/// <summary>Decode attention split over the context: one launch, a CTA for every multiprocessor. See paged_attention_decode.cu.</summary>
internal sealed class DecodeAttention
{
    /// <summary>Sequences of one launch at most.</summary>
    public const int MaxSequences = 1024;

    /// <summary>Pages of a split where splits are fixed: 512 tokens.</summary>
    public const int FixedSplitPages = 32;

    private const float Log2E = 1.4426950408889634f;
    private readonly CudaKernel _kernel;
    private readonly DecodeLayout _layout;
    private readonly int _multiprocessors;

    public DecodeAttention(CudaContext context, KernelCache kernels, DecodeVariant variant)
    {
        (Variant, _multiprocessors) = (variant, context.Multiprocessors);
        _layout = new DecodeLayout(variant, context.Architecture, context.SharedBytes);
        _kernel = kernels.Get(Spec(variant, _layout));
    }

    public DecodeVariant Variant { get; }

    public CudaKernel Kernel => _kernel;

    public static KernelSpec Spec(DecodeVariant variant, int architecture, int sharedBytes) => Spec(variant, new DecodeLayout(variant, architecture, sharedBytes));

    /// <summary>Bytes of records that launches of this variant use; all ones before the first.</summary>
    /// <param name="kvHeads">KV heads.</param>
    /// <param name="pages">Pages that all sequences of a launch hold together at most.</param>
    public long RecordBytes(int kvHeads, int pages)
    {
        var splits = Variant.FixedSplit == 0 ? 2L * _multiprocessors : ((pages / Variant.FixedSplit) + (2L * MaxSequences)) * kvHeads * _layout.HeadBlocks;
        return checked(splits * _layout.Records * 32);
    }

    /// <param name="stream">Where.</param>
    /// <param name="inputs">At least one and at most <see cref="MaxSequences"/> sequences.</param>
    /// <param name="records">Memory of <see cref="RecordBytes"/>.</param>
    /// <param name="triggerEarly">The kernel behind may start its own prologue at once.</param>
    public void Launch(CudaStream stream, in PagedAttentionInputs inputs, nint records, bool triggerEarly = true)
    {
        if (inputs.Sequences is < 1 or > MaxSequences)
        {
            throw new ArgumentOutOfRangeException(nameof(inputs), $"{inputs.Sequences} sequences, at most {MaxSequences}");
        }

        var shape = inputs.Shape;
        var ctas = _multiprocessors;
        var parameters = new DecodeParams
        {
            Q = inputs.Q,
            Output = inputs.Output,
            Keys = inputs.Keys,
            Values = inputs.Values,
            Positions = inputs.Positions,
            RowStarts = inputs.RowStarts,
            BlockTableStarts = inputs.BlockTableStarts,
            BlockTables = inputs.BlockTables,
            Sinks = shape.Sinks?.Address ?? 0,
            Records = records,
            QStride = inputs.QStride,
            OutputStride = inputs.OutputStride,
            Sequences = inputs.Sequences,
            KvHeads = shape.KvHeads,
            Ctas = ctas,
            Window = shape.Window,
            Scale = Variant.SoftCap ? shape.Scale / shape.SoftCap : shape.Scale * Log2E,
            Cap = shape.SoftCap * Log2E,
            GrowthBeta = shape.Growth.Beta,
            GrowthLength = Math.Max(1, shape.Growth.Length),
            Flags = (Variant.Prefetch == PrefetchMode.Rings ? 1 : 0) | (triggerEarly ? 2 : 0),
        };
        _kernel.Launch(stream, ctas, 1, 1, parameters, _layout.SharedBytes(inputs.Sequences));
    }

    private static unsafe KernelSpec Spec(DecodeVariant variant, DecodeLayout layout) => new("paged_attention_decode", sizeof(DecodeParams), layout.Warps * 32)
    {
        Defines =
        [
            ("HEAD_DIM", variant.HeadDim),
            ("GROUP", variant.Group),
            ("WARPS", layout.Warps),
            ("STAGES", layout.Stages),
            ("STAGING", layout.Staging),
            ("ELEMENT_F16", variant.KvType == 1 ? 1 : 0),
            ("Q_TYPE", variant.QType),
            ("OUT_TYPE", variant.OutputType),
            ("SOFT_CAP", variant.SoftCap ? 1 : 0),
            ("FIXED_SPLIT", variant.FixedSplit),
            ("LEAST_UNITS", variant.LeastUnits),
            ("PREFETCH", variant.Prefetch switch { PrefetchMode.L2 => 1, PrefetchMode.Control => 2, _ => 0 }),
            ("PREFETCH_DISTANCE", variant.Distance),
        ],
        SharedBytes = layout.SharedBytes(MaxSequences),
        RegisterBudget = 255,
        Overlaps = true,
    };

    [StructLayout(LayoutKind.Sequential)]
    private struct DecodeParams
    {
        public nint Q;
        public nint Output;
        public nint Keys;
        public nint Values;
        public nint Positions;
        public nint RowStarts;
        public nint BlockTableStarts;
        public nint BlockTables;
        public nint Sinks;
        public nint Records;
        public long QStride;
        public long OutputStride;
        public int Sequences;
        public int KvHeads;
        public int Ctas;
        public int Window;
        public float Scale;
        public float Cap;
        public float GrowthBeta;
        public int GrowthLength;
        public int Flags;
        public int Reserved;
    }
}
