using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>The paged cache and attention over it.</summary>
internal sealed unsafe partial class CpuBackend<TLanes, V>
{
    /// <summary>Items for each thread below which contexts are cut: with more of them the threads end together anyway.</summary>
    private const int EnoughItems = 16;

    /// <summary>Floats of results of pieces for each thread at most; contexts that would take more are not cut.</summary>
    private const long MostPartials = 512 * 1024;

    private readonly DType _cache;
    private DeviceBuffer _attentionScratch = DeviceBuffer.OnHost(DType.F32, 1);
    private DeviceBuffer _attentionPartials = DeviceBuffer.OnHost(DType.F32, 1);

    public KvPages AllocateKvPages(KvLayout layout, IReadOnlyList<int> pages)
    {
        if (layout.PageSize % 16 != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(layout), layout.PageSize, "A page holds a multiple of 16 tokens.");
        }

        DeviceBuffer[] Slabs(Func<KvLayer, int> size) =>
        [
            .. layout.Layers.Select((layer, i) => DeviceBuffer.OnHost(_cache, checked(KvSlabs.Bytes(_cache, size(layer), layout.PageSize) / _cache.ByteSize() * layer.KvHeads * pages[layout.Group(i)]))),
        ];

        return new KvPages(layout, Slabs(l => l.HeadDim), Slabs(l => l.ValueDim), pages);
    }

    public long KvPageBytes(KvLayer layer, int pageSize) =>
        checked(layer.KvHeads * (KvSlabs.Bytes(_cache, layer.HeadDim, pageSize) + KvSlabs.Bytes(_cache, layer.ValueDim, pageSize)));

    public void RotateAndStore(in StepInputs step, int layer, Rows qkv, Rows rotary, RotaryPairs pairs, AttentionShape shape)
    {
        var job = new RotateAndStoreKernel<TLanes, V>
        {
            Qkv = Floats(qkv),
            QkvStride = qkv.Stride,
            Rotary = Floats(rotary),
            RotaryStride = rotary.Stride,
            RotaryDim = rotary.Columns,
            Pairs = pairs,
            Keys = (byte*)step.Pages.Keys(layer).Address,
            Values = (byte*)step.Pages.Values(layer).Address,
            Type = _cache,
            Positions = Ints(step.Positions),
            RowStarts = Ints(step.RowStarts),
            BlockTableStarts = Ints(step.TableStarts(layer)),
            BlockTables = Ints(step.BlockTables),
            Heads = shape.Heads,
            KvHeads = shape.KvHeads,
            HeadDim = shape.HeadDim,
            PageSize = step.Pages.PageSize,
            ValuesInKeys = shape.ValuesInKeys > 0,
        };
        ShareRows(ref job, step.TokenCount, shape.QkvColumns);
    }

    public void PagedAttention(in StepInputs step, int layer, Rows q, Rows output, AttentionShape shape)
    {
        var group = shape.Heads / shape.KvHeads;
        var latent = shape.ValuesInKeys > 0;
        var window = shape.Window == 0 ? int.MaxValue : shape.Window;
        int* rowStarts = Ints(step.RowStarts), positions = Ints(step.Positions);
        var blockRows = AttentionKernel<TLanes, V>.BlockRows(group);
        int blocks = 0, pieces = 0;
        long context = 0;
        for (var s = 0; s < step.SequenceCount; s++)
        {
            for (var row = rowStarts[s]; row < rowStarts[s + 1]; row += blockRows, blocks++)
            {
                var rows = Math.Min(blockRows, rowStarts[s + 1] - row);
                pieces += AttentionKernel<TLanes, V>.Pieces(positions[row], rows, window, latent);
                context += (long)rows * (positions[row] + rows);
            }
        }

        // A short context over few KV heads would leave threads idle: they share the query heads of a group then.
        var parts = 1;
        while (pieces * shape.KvHeads * parts < Threads && group % (2 * parts) == 0 && group / parts >= 2 * AttentionArithmetic<TLanes, V>.Together)
        {
            parts *= 2;
        }

        var items = blocks * shape.KvHeads * parts;
        var partials = (long)pieces * shape.KvHeads * parts * AttentionKernel<TLanes, V>.PartialFloats(blockRows * group / parts, shape.ValueDim);
        var cut = Threads > 1 && pieces > blocks && items < EnoughItems * Threads && partials <= MostPartials * Threads;
        Grow(ref _attentionScratch, Threads * AttentionKernel<TLanes, V>.ScratchFloats(shape));
        if (cut)
        {
            Grow(ref _attentionPartials, MostPartials * Threads);    // memory that is never touched costs nothing
        }

        var job = new AttentionKernel<TLanes, V>
        {
            Q = Floats(q),
            QStride = q.Stride,
            Output = Floats(output),
            OutputStride = output.Stride,
            Keys = (byte*)step.Pages.Keys(layer).Address,
            Values = (byte*)step.Pages.Values(layer).Address,
            Type = _cache,
            Positions = positions,
            RowStarts = rowStarts,
            BlockTableStarts = Ints(step.TableStarts(layer)),
            BlockTables = Ints(step.BlockTables),
            Sequences = step.SequenceCount,
            KvHeads = shape.KvHeads,
            Group = group,
            Parts = parts,
            HeadDim = shape.HeadDim,
            ValueDim = shape.ValueDim,
            ValuesInKeys = latent,
            PageSize = step.Pages.PageSize,
            Scale = shape.Scale,
            Window = window,
            SoftCap = shape.SoftCap,
            Growth = shape.Growth,
            Sinks = shape.Sinks is null ? null : (float*)shape.Sinks.Address,
            Blocks = blocks,
            Stage = cut ? AttentionStage.Pieces : AttentionStage.Whole,
            Scratch = (float*)_attentionScratch.Address,
            Partials = (float*)_attentionPartials.Address,
        };
        if (!cut)
        {
            Share(ref job, items, 1, context * shape.QueryColumns);
            return;
        }

        Share(ref job, pieces * shape.KvHeads * parts, 1, context * shape.QueryColumns);
        job.Stage = AttentionStage.Merge;
        Share(ref job, items, 1, (long)pieces * shape.OutputColumns);
    }
}
