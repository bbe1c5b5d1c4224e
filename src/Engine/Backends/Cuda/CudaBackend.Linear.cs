using KvPrefetch.Engine.Backends.Cuda.Kernels;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cuda;

/// <summary>Products with weights.</summary>
internal sealed unsafe partial class CudaBackend
{
    /// <summary>Rows from which tensor cores take over: below, reading the weights is all that counts.</summary>
    private const int TileRows = 9;

    private DeviceBuffer? _converted;

    public void Linear(Rows x, ReadOnlySpan<Projection> projections, Rows output, int rows)
    {
        // Matrices of one type go together, eight at most; a checkpoint may mix types.
        for (var i = 0; i < projections.Length;)
        {
            if (projections[i].Matrix.Packed is not null)
            {
                i += LinearPacked(x, projections[i..], output, rows, out var packed);
                output = output.Slice(packed, output.Columns - packed);
                continue;
            }

            var type = projections[i].Matrix.Type;
            var (targets, count, outputs) = (default(Targets), 0, 0);
            for (; i < projections.Length && projections[i].Matrix.Type == type && count < Targets.Count; i++)
            {
                targets[count++] = TargetOf(projections[i], outputs);
                outputs += projections[i].Matrix.Rows;
            }

            if (!LaunchSmall(x, type, targets, count, outputs, output, rows))
            {
                LaunchLarge(x, type, targets, count, outputs, output, rows);
            }

            output = output.Slice(outputs, output.Columns - outputs);
        }
    }

    private void LaunchLarge(Rows x, DType type, Targets targets, int count, int outputs, Rows output, int rows)
    {
        if (_options.TensorCores && !_options.BatchInvariant && rows >= TileRows && type != DType.F32 && x.Columns % 8 == 0)
        {
            LinearTiles(type, x, targets, count, outputs, output, rows);
        }
        else
        {
            var tile = rows >= 5 ? 8 : rows >= 3 ? 4 : Math.Max(rows, 1);
            var kernel = Kernel(CudaKernels.Linear(type, tile));
            var parameters = new LinearParams { X = new(x), Output = new(output), Targets = targets, TargetCount = count, Inputs = x.Columns, Outputs = outputs, Rows = rows };
            kernel.Launch(_stream, Blocks(outputs, kernel.Spec.Threads / 16), Blocks(rows, tile), 1, parameters);
        }
    }

    private void LinearTiles(DType type, Rows x, Targets targets, int count, int outputs, Rows output, int rows)
    {
        var converted = Convert(x, type, rows);

        if (Multiplied(type, converted, targets, count, x.Columns, output, rows))
        {
            return;
        }

        // Large tiles read less, small ones fill the card.
        var tile = (long)Blocks(rows, 128) * Blocks(outputs, 128) >= _context.Multiprocessors ? 128 : 64;
        var parameters = new LinearTilesParams { X = converted, Output = new(output), Targets = targets, TargetCount = count, Inputs = x.Columns, Outputs = outputs, Rows = rows };
        Kernel(CudaKernels.LinearTiles(type, tile)).Launch(_stream, Blocks(outputs, tile), Blocks(rows, tile), 1, parameters);
    }

    /// <summary>Whether cuBLASLt has computed all of it.</summary>
    private bool Multiplied(DType type, nint x, Targets targets, int count, int inputs, Rows output, int rows)
    {
        if (_products is null)
        {
            return false;
        }

        var view = new RowsView(output);
        for (var t = 0; t < count; t++)
        {
            var target = targets[t];
            if (!_products.TryMultiply(_stream, type, x, target, inputs, new RowsView(view.Data + (target.First * sizeof(float)), view.Stride), rows))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The rows in the weights' type, one after the other.</summary>
    private nint Convert(Rows x, DType type, int rows)
    {
        var convert = Kernel(CudaKernels.ConvertRows(type));
        var converted = Converted(checked((long)rows * x.Columns));
        convert.Launch(_stream, rows, Blocks(x.Columns, convert.Spec.Threads), 1, new ConvertRowsParams { X = new(x), Output = converted, Columns = x.Columns });
        return converted;
    }

    /// <summary>Scratch for so many two-byte elements. A larger one takes its place and does not free it: recorded steps may name it.</summary>
    private nint Converted(long elements)
    {
        if (_converted is null || _converted.Length < elements)
        {
            _converted = Allocate(DType.BF16, Math.Max(elements, 2 * (_converted?.Length ?? 0)), "activations in the weights' type");
        }

        return _converted.Address;
    }
}
