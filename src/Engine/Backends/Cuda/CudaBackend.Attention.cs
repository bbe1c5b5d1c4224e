using KvPrefetch.Engine.Backends.Cuda.Driver;
using KvPrefetch.Engine.Backends.Cuda.Kernels;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Attention: sequences with one row by a decode kernel and those with many by tensor cores where they fit, all others by the plain kernel.</summary>
internal sealed unsafe partial class CudaBackend
{
    private readonly Dictionary<DecodeVariant, (DecodeAttention Kernel, DeviceMemory Records)> _decodes = [];
    private readonly Dictionary<int, PaperAttention> _papers = [];
    private readonly Dictionary<DecodeVariant, bool> _available = [];

    /// <summary>What decode attention asks for ahead.</summary>
    public PrefetchPolicy Prefetch => (_options.Prefetch, _options.Attention) switch
    {
        (_, AttentionKernel.Reference) or (PrefetchPolicy.Off, _) => PrefetchPolicy.Off,
        (PrefetchPolicy.L2, _) => PrefetchPolicy.L2,
        _ => _context.Architecture >= 90 && _options.Attention == AttentionKernel.Prefetch ? PrefetchPolicy.Rings : PrefetchPolicy.Off,
    };

    private PrefetchMode Mode => Prefetch switch { PrefetchPolicy.L2 => PrefetchMode.L2, PrefetchPolicy.Rings => PrefetchMode.Rings, _ => PrefetchMode.Off };

    public void PagedAttention(in StepInputs step, int layer, Rows q, Rows output, AttentionShape shape)
    {
        var single = step.TokenCount == step.SequenceCount;
        var decodes = (single || step.SequenceCount > 1) && Decodes(step, q, output, shape);
        if (decodes)
        {
            Decode(step, layer, q, new(output), outputType: 0, shape, single);
        }

        if (decodes && single)
        {
            return;
        }

        var parameters = new PagedAttentionParams
        {
            Q = new(q),
            Output = new(output),
            Keys = step.Pages.Keys(layer).Address,
            Values = step.Pages.Values(layer).Address,
            Positions = At(step.Positions),
            RowStarts = At(step.RowStarts),
            TableStarts = At(step.TableStarts(layer)),
            Tables = At(step.BlockTables),
            Sinks = shape.Sinks?.Address ?? 0,
            Sequences = step.SequenceCount,
            Group = shape.Heads / shape.KvHeads,
            KvHeads = shape.KvHeads,
            PageSize = step.Pages.PageSize,
            Window = shape.Window,
            GrowthLength = Math.Max(1, shape.Growth.Length),
            GrowthBeta = shape.Growth.Beta,
            Scale = shape.Scale,
            SoftCap = shape.SoftCap,
            OnlySeveral = decodes ? 1 : 0,
        };
        if (Prefills(step, q, shape))
        {
            var tiles = (step.TokenCount / CudaKernels.PrefillQueries(RowTiles(shape))) + step.SequenceCount;
            Kernel(CudaKernels.PagedAttentionPrefill(shape.HeadDim, KvCode, shape.SoftCap != 0, RowTiles(shape))).Launch(_stream, shape.Heads, tiles, 1, parameters);
        }
        else
        {
            Kernel(CudaKernels.PagedAttention(_options.KvType, shape.HeadDim, shape.ValuesInKeys)).Launch(_stream, step.TokenCount, shape.Heads, 1, parameters);
        }
    }

    /// <summary>Whether a decode kernel can take the step's sequences of one row.</summary>
    private bool Decodes(in StepInputs step, Rows q, Rows output, AttentionShape shape) =>
        _options.Attention != AttentionKernel.Reference
        && shape.ValuesInKeys == 0
        && _options.KvType is DType.F16 or DType.BF16
        && shape.HeadDim % 16 == 0 && shape.HeadDim <= 256
        && step.Pages.PageSize == 16 && step.SequenceCount <= DecodeAttention.MaxSequences
        && (q.Stride | q.Column | output.Stride | output.Column) % 4 == 0
        && IsAvailable(shape);

    /// <summary>Whether tensor cores can take the step's sequences of many rows.</summary>
    private bool Prefills(in StepInputs step, Rows q, AttentionShape shape) =>
        _options.Attention != AttentionKernel.Reference
        && shape.ValuesInKeys == 0
        && _options.KvType is DType.F16 or DType.BF16
        && shape.HeadDim % 16 == 0 && shape.HeadDim <= 256
        && (q.Stride | q.Column) % 4 == 0
        && step.TokenCount > step.SequenceCount
        && CudaKernels.PagedAttentionPrefill(shape.HeadDim, KvCode, shape.SoftCap != 0, RowTiles(shape)) is var spec
        && spec.SharedBytes <= _context.SharedBytes
        && _kernels.Has(spec);

    private int RowTiles(AttentionShape shape) => _options.PrefillRowTiles > 0 ? _options.PrefillRowTiles : CudaKernels.PrefillRowTiles(shape.HeadDim);

    /// <summary>Without a compiler only the common variants are there; the plain kernel takes the others.</summary>
    private bool IsAvailable(AttentionShape shape)
    {
        if (_kernels.Images.Compiles)
        {
            return true;
        }

        var variant = Variant(shape, _options.BatchInvariant ? 0 : KvCode, Tuning(int.MaxValue));
        if (!_available.TryGetValue(variant, out var available))
        {
            var spec = _options.Attention == AttentionKernel.Paper ? PaperAttention.Spec(shape.HeadDim, KvCode, Mode, _options.PrefetchDistance) : DecodeAttention.Spec(variant, _context.Architecture, _context.SharedBytes);
            _available[variant] = available = _kernels.Has(spec);
        }

        return available;
    }

    /// <summary>Type of the pages, as the kernels number it.</summary>
    private int KvCode => _options.KvType == DType.F16 ? 1 : 2;

    private DecodeVariant Variant(AttentionShape shape, int outputType, DecodeTuning tuning) => new(shape.HeadDim, shape.Heads / shape.KvHeads, KvCode, OutputType: outputType, SoftCap: shape.SoftCap != 0,
        FixedSplit: _options.BatchInvariant ? DecodeAttention.FixedSplitPages : 0, LeastUnits: tuning.LeastUnits, Prefetch: Mode, Distance: _options.PrefetchDistance, RingKilobytes: tuning.RingKilobytes);

    /// <summary>The package carries the form for many sequences alone.</summary>
    private DecodeTuning Tuning(int sequences) => _options.Decode ?? DecodeTuning.Default(_kernels.Images.Compiles && _context.Architecture >= 90 && !_options.BatchInvariant ? sequences : int.MaxValue);

    private (DecodeAttention Kernel, DeviceMemory Records) Decoding(in StepInputs step, AttentionShape shape, int outputType)
    {
        var variant = Variant(shape, outputType, Tuning(step.SequenceCount));
        if (!_decodes.TryGetValue(variant, out var decode))
        {
            var kernel = new DecodeAttention(_context, _kernels, variant);
            decode = (kernel, Records(kernel.RecordBytes(shape.KvHeads, step.Pages.TotalPages)));
            _decodes.Add(variant, decode);
        }

        return decode;
    }

    /// <param name="step">The step.</param>
    /// <param name="layer">Index into the cache.</param>
    /// <param name="q">Queries.</param>
    /// <param name="to">Results, of <paramref name="outputType"/>: 0 float32, else of the pages' type as bf16.cuh numbers it.</param>
    /// <param name="outputType">Of the results.</param>
    /// <param name="shape">The layer's.</param>
    /// <param name="single">Every sequence has one row.</param>
    private void Decode(in StepInputs step, int layer, Rows q, RowsView to, int outputType, AttentionShape shape, bool single)
    {
        RowsView from = new(q);
        var inputs = new PagedAttentionInputs
        {
            Q = from.Data,
            QStride = from.Stride,
            Output = to.Data,
            OutputStride = to.Stride,
            Keys = step.Pages.Keys(layer).Address,
            Values = step.Pages.Values(layer).Address,
            Positions = At(step.Positions),
            RowStarts = single ? 0 : At(step.RowStarts),
            BlockTableStarts = At(step.TableStarts(layer)),
            BlockTables = At(step.BlockTables),
            Sequences = step.SequenceCount,
            Shape = shape,
        };
        if (_options.Attention == AttentionKernel.Paper)
        {
            if (!_papers.TryGetValue(shape.HeadDim, out var paper))
            {
                _papers[shape.HeadDim] = paper = new PaperAttention(_kernels, shape.HeadDim, KvCode, Mode, _options.PrefetchDistance);
            }

            paper.Launch(_stream, inputs);
            return;
        }

        var decode = Decoding(step, shape, outputType);
        decode.Kernel.Launch(_stream, inputs, decode.Records.Value);
    }

    /// <summary>Memory of ones, as the kernel wants to find it and leaves it.</summary>
    private DeviceMemory Records(long bytes)
    {
        var memory = DeviceMemory.Allocate(_context, bytes, "partial results of attention");
        _allocated.Add(memory);
        _context.Check(_context.Driver.MemsetD8Async(memory.Value, 0xff, checked((nuint)bytes), _stream.Value), "memory was filled");
        return memory;
    }
}
