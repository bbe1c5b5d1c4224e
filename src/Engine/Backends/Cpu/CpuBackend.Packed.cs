using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Products with packed weights, which stay packed where they are mapped.</summary>
internal sealed unsafe partial class CpuBackend<TLanes, V>
{
    private DeviceBuffer _unpacked = DeviceBuffer.OnHost(DType.F32, 1);

    public Weight LoadPacked(string name, PackedMatrix matrix) =>
        new(name, DType.U8, matrix.Rows, matrix.Columns, new DeviceBuffer(matrix.Codes, DType.U8, matrix.CodeBytes, owner: null)) { Packed = matrix };

    private void PackedLinear(Rows x, ReadOnlySpan<Projection> projections, Rows output, int rows)
    {
        var targets = stackalloc PackedTarget[projections.Length];
        int outputs = 0, groups = 0;
        for (var i = 0; i < projections.Length; i++)
        {
            var (matrix, bias) = projections[i];
            targets[i] = Target(matrix, bias, outputs);
            outputs += matrix.Rows;
            groups = Math.Max(groups, targets[i].Matrix.Groups);
        }

        var job = Product(Rounded(x, rows), output, rows, projections.Length, groups);
        job.Targets = targets;
        Share(ref job, outputs, PackedLinearKernel<TLanes, V>.Grain(outputs, Threads), (long)(rows + 2) * outputs * x.Columns);
    }

    private void PackedExpertLinear(Rows x, ExpertPlan plan, ReadOnlySpan<Projection[]> experts, Rows output, int places)
    {
        int perExpert = experts[0].Length, touchedCount = 0, outputs = 0, groups = 0;
        var starts = (int*)plan.Starts.Address;
        Grow(ref _experts.Targets, (long)experts.Length * perExpert * sizeof(PackedTarget) / sizeof(int));
        Grow(ref _experts.Touched, experts.Length);
        var targets = (PackedTarget*)_experts.Targets.Address;
        var touched = (int*)_experts.Touched.Address;
        for (var e = 0; e < experts.Length; e++)
        {
            if (starts[e] == starts[e + 1])
            {
                continue;
            }

            touched[touchedCount++] = e;
            outputs = 0;
            for (var i = 0; i < perExpert; i++)
            {
                var (matrix, bias) = experts[e][i];
                targets[(e * perExpert) + i] = Target(matrix, bias, outputs);
                outputs += matrix.Rows;
                groups = Math.Max(groups, targets[(e * perExpert) + i].Matrix.Groups);
            }
        }

        var job = new ExpertKernel<PackedLinearKernel<TLanes, V>, PackedTarget> { Product = Product(Rounded(x, places), output, 0, perExpert, groups), Outputs = outputs, Targets = targets, Starts = starts, Touched = touched };
        var items = checked(touchedCount * outputs);
        Share(ref job, items, PackedLinearKernel<TLanes, V>.Grain(items, Threads), (long)(places + (2 * touchedCount)) * outputs * x.Columns);
    }

    private static PackedTarget Target(Weight matrix, DeviceBuffer? bias, int column) => new(matrix.Packed!.Value, bias is null ? null : (float*)bias.Address, column);

    private PackedLinearKernel<TLanes, V> Product(Rows x, Rows output, int rows, int targets, int groups)
    {
        var stride = PackedRows.ScratchFloats(x.Columns, groups);
        Grow(ref _unpacked, Threads * stride);
        return new PackedLinearKernel<TLanes, V>
        {
            Product = new LinearKernel<TLanes, V, Float32Weights<TLanes, V>> { X = Floats(x), XStride = x.Stride, Output = Floats(output), OutputStride = output.Stride, Rows = rows, Inputs = x.Columns },
            TargetCount = targets,
            Scratch = (float*)_unpacked.Address,
            ScratchStride = stride,
        };
    }
}
