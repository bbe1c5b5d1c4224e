using KvPrefetch.Engine.Backends.Cpu.Assembly;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Products with weights that were quantised while loading.</summary>
internal sealed unsafe partial class CpuBackend<TLanes, V>
{
    private readonly ProductKernels _kernels;

    /// <summary>Assembled kernels for quantised weights, from the first such weight on; null where managed ones serve.</summary>
    private nint* _groupedDots;
    private GroupedTileKernels* _groupedTiles;
    private DeviceBuffer _grouped = DeviceBuffer.OnHost(DType.U8, 1);
    private DeviceBuffer _groupedScratch = DeviceBuffer.OnHost(DType.U8, 1);

    public Weight LoadGrouped(string name, WeightFormat format, int rows, int columns, DeviceBuffer panels)
    {
        // Not before: assembling takes time that a start without such weights would lose.
        _groupedDots = _kernels == ProductKernels.Managed ? null : AssembledKernels.GroupedDots;
        _groupedTiles = _kernels is ProductKernels.Auto or ProductKernels.Tiles && _groupedDots is not null ? AssembledKernels.GroupedTiles : null;
        return new Weight(name, DType.U8, rows, columns, panels) { Format = format };
    }

    public void Quantise(Weight weight, DType type, nint source, bool isMapped)
    {
        HostPages.PreferLarge(weight.Data.Address, weight.Data.Length);
        var job = new GroupedQuantiser { Source = (byte*)source, Type = type, Rows = weight.Rows, Columns = weight.Columns, Format = weight.Format, Panels = (byte*)weight.Data.Address };
        var panels = GroupedLayout.Panels(weight.Rows);
        Share(ref job, panels, Math.Clamp(panels / (8 * Threads), 1, 64), (long)weight.Rows * weight.Columns);
        if (isMapped)
        {
            HostPages.Release(source, (long)weight.Rows * weight.Columns * type.ByteSize());
        }
    }

    private void GroupedLinear(Rows x, ReadOnlySpan<Projection> projections, Rows output, int rows)
    {
        var targets = stackalloc GroupedTarget[projections.Length];
        var panels = Targets(projections, targets);
        var format = projections[0].Matrix.Format;
        var job = Grouped(x, output, rows, format, projections.Length);
        job.Targets = targets;
        Share(ref job, panels, GroupedLinearKernel.Grain(rows, x.Columns, format, panels, Threads), (long)rows * panels * GroupedLayout.Outputs * x.Columns / 4);
    }

    private void GroupedExpertLinear(Rows x, ExpertPlan plan, ReadOnlySpan<Projection[]> experts, Rows output, int places)
    {
        int perExpert = experts[0].Length, touchedCount = 0, panels = 0;
        var starts = (int*)plan.Starts.Address;
        Grow(ref _experts.Targets, (long)experts.Length * perExpert * sizeof(GroupedTarget) / sizeof(int));
        Grow(ref _experts.Touched, experts.Length);
        var targets = (GroupedTarget*)_experts.Targets.Address;
        var touched = (int*)_experts.Touched.Address;
        for (var e = 0; e < experts.Length; e++)
        {
            if (starts[e] < starts[e + 1])
            {
                touched[touchedCount++] = e;
                panels = Targets(experts[e], targets + ((long)e * perExpert));
            }
        }

        var format = experts[0][0].Matrix.Format;
        var job = new ExpertKernel<GroupedLinearKernel, GroupedTarget> { Product = Grouped(x, output, places, format, perExpert), Outputs = panels, Targets = targets, Starts = starts, Touched = touched };
        var items = checked(touchedCount * panels);
        var rowsOfOne = (places + touchedCount - 1) / touchedCount;
        Share(ref job, items, GroupedLinearKernel.Grain(rowsOfOne, x.Columns, format, items, Threads), (long)places * panels * GroupedLayout.Outputs * x.Columns / 4);
    }

    /// <summary>Panels of all.</summary>
    private static int Targets(ReadOnlySpan<Projection> projections, GroupedTarget* targets)
    {
        int panels = 0, outputs = 0;
        for (var i = 0; i < projections.Length; i++)
        {
            var (matrix, bias) = projections[i];
            targets[i] = new GroupedTarget((byte*)matrix.Data.Address, bias is null ? null : (float*)bias.Address, matrix.Rows, outputs, panels);
            panels += GroupedLayout.Panels(matrix.Rows);
            outputs += matrix.Rows;
        }

        return panels;
    }

    private GroupedLinearKernel Grouped(Rows x, Rows output, int rows, WeightFormat format, int targets)
    {
        var wide = _groupedDots is null;
        Grow(ref _grouped, GroupedRowsKernel.Bytes(rows, x.Columns, wide));
        Grow(ref _groupedScratch, Threads * GroupedLinearKernel.ScratchBytes(x.Columns));
        var quantise = new GroupedRowsKernel { X = Floats(x), XStride = x.Stride, Columns = x.Columns, Format = format, Wide = wide, Output = (byte*)_grouped.Address };
        ShareRows(ref quantise, rows, x.Columns);
        return new GroupedLinearKernel
        {
            Dots = _groupedDots,
            Tiles = _groupedTiles,
            X = quantise.Output,
            Output = Floats(output),
            OutputStride = output.Stride,
            Rows = rows,
            Inputs = x.Columns,
            Format = format,
            TargetCount = targets,
            VectorBits = TLanes.Width * 32,
            Scratch = (byte*)_groupedScratch.Address,
        };
    }
}
