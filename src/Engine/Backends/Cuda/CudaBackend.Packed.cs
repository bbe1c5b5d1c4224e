using System.Runtime.InteropServices;
using KvPrefetch.Engine.Backends.Cuda.Kernels;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Weights in few bits: unpacked inside the products of few rows, and before those of many.</summary>
internal sealed unsafe partial class CudaBackend
{
    /// <summary>Packed matrices by the address of their codes.</summary>
    private readonly Dictionary<nint, PackedTarget> _packed = [];

    /// <summary>Targets on the card, by the codes that are their first, the projection's bias and how many they are.</summary>
    private readonly Dictionary<(nint Codes, nint Bias, int Count), DeviceBuffer> _packedTargets = [];

    private DeviceBuffer? _unpacked;

    public Weight LoadPacked(string name, PackedMatrix matrix)
    {
        var target = PackedUpload.Load(_arena, name, matrix);
        _packed.Add(target.Codes, target);
        return new Weight(name, DType.U8, matrix.Rows, matrix.Columns, new DeviceBuffer(target.Codes, DType.U8, target.Pitch * matrix.Rows, owner: null)) { Packed = matrix };
    }

    /// <summary>Products by the packed matrices that a list begins with, all of one format; how many those are.</summary>
    private int LinearPacked(Rows x, ReadOnlySpan<Projection> projections, Rows output, int rows, out int outputs)
    {
        var (format, count) = (projections[0].Matrix.Packed!.Value.Format, 0);
        outputs = 0;
        for (; count < projections.Length && projections[count].Matrix.Packed is { } packed && packed.Format == format && count < Targets.Count; count++)
        {
            outputs += projections[count].Matrix.Rows;
        }

        var targets = PackedTable(projections[..count]).Address;
        if (_options.TensorCores && !_options.BatchInvariant && rows >= TileRows && x.Columns % 8 == 0)
        {
            if (_unpacked is null || _unpacked.Length < (long)outputs * x.Columns)
            {
                // As with converted activations: recorded steps may name the smaller one.
                _unpacked = Allocate(DType.BF16, (long)outputs * x.Columns, "unpacked weights");
            }

            var unpack = Kernel(CudaKernels.Unpack(format, DType.BF16));
            unpack.Launch(_stream, Blocks(x.Columns, 8 * unpack.Spec.Threads), outputs, 1, new UnpackParams { Targets = targets, Output = _unpacked.Address, TargetCount = count, Inputs = x.Columns });
            var whole = default(Targets);
            var first = 0;
            for (var i = 0; i < count; i++)
            {
                whole[i] = TargetOf(projections[i], first);
                whole[i].Weights = _unpacked.Address + (nint)(2L * first * x.Columns);
                first += projections[i].Matrix.Rows;
            }

            LinearTiles(DType.BF16, x, whole, count, outputs, output, rows);
            return count;
        }

        var kernel = Kernel(CudaKernels.PackedLinear(format, rows >= 5 ? 8 : rows >= 2 ? 4 : 1));
        kernel.Launch(_stream, Blocks(outputs, kernel.Spec.Threads / 16), 1, 1, new PackedLinearParams { X = new(x), Output = new(output), Targets = targets, TargetCount = count, Inputs = x.Columns, Outputs = outputs, Rows = rows });
        return count;
    }

    private void ExpertLinearPacked(Rows x, ExpertPlan plan, ReadOnlySpan<Projection[]> experts, Rows output, int places)
    {
        var first = experts[0];
        if (!_packedTargets.TryGetValue(Key(first[0], experts.Length * first.Length), out var table))
        {
            var all = new List<Projection>();
            foreach (var expert in experts)
            {
                all.AddRange(expert);
            }

            table = PackedTable(CollectionsMarshal.AsSpan(all), first.Length);
        }

        var kernel = Kernel(CudaKernels.PackedLinear(first[0].Matrix.Packed!.Value.Format, places == 1 ? 1 : ExpertTile));
        var outputs = first.Sum(p => p.Matrix.Rows);
        kernel.Launch(_stream, Blocks(outputs, kernel.Spec.Threads / 16), experts.Length, 1,
            new PackedLinearParams { X = new(x), Output = new(output), Targets = table.Address, Starts = plan.Starts.Address, TargetCount = first.Length, Inputs = x.Columns, Outputs = outputs });
    }

    /// <summary>Targets side by side, <paramref name="each"/> of an expert (0: all of them).</summary>
    private DeviceBuffer PackedTable(ReadOnlySpan<Projection> projections, int each = 0)
    {
        var key = Key(projections[0], projections.Length);
        if (_packedTargets.TryGetValue(key, out var known))
        {
            return known;
        }

        var targets = new PackedTarget[projections.Length];
        var first = 0;
        for (var i = 0; i < targets.Length; i++)
        {
            first = each > 0 && i % each == 0 ? 0 : first;
            targets[i] = _packed[projections[i].Matrix.Data.Address] with { Bias = projections[i].Bias?.Address ?? 0, First = first };
            first += targets[i].Outputs;
        }

        // As floats, bit by bit: constants are floats.
        return _packedTargets[key] = Constant("packed matrices", MemoryMarshal.Cast<PackedTarget, float>(targets));
    }

    private static (nint Codes, nint Bias, int Count) Key(Projection first, int count) => (first.Matrix.Data.Address, first.Bias?.Address ?? 0, count);
}
