using System.Runtime.Intrinsics;
using KvPrefetch.Engine.Backends.Cpu.Assembly;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Width of the vectors that kernels are compiled for.</summary>
internal enum VectorWidth
{
    /// <summary>The widest that this processor runs well.</summary>
    Auto,
    Bits128,
    Bits256,
    Bits512,
}

/// <summary>Makes CPU backends.</summary>
internal static class CpuBackend
{
    /// <param name="threads">Threads that compute; 0 takes the physical cores that this process may use.</param>
    /// <param name="width">Tests name a width; everybody else takes the default.</param>
    /// <param name="arithmetic">What products do to activations.</param>
    /// <param name="kernels">Which kernels serve.</param>
    /// <param name="cache">Type of keys and values in their pages: F32, BF16 or I8.</param>
    public static IBackend Create(int threads = 0, VectorWidth width = VectorWidth.Auto, Arithmetic arithmetic = Arithmetic.Exact, ProductKernels kernels = ProductKernels.Auto, DType cache = DType.F32)
    {
        threads = threads > 0 ? threads : Processors.Physical;
        if (width == VectorWidth.Auto)
        {
            width = Vector512.IsHardwareAccelerated ? VectorWidth.Bits512 : Vector256.IsHardwareAccelerated ? VectorWidth.Bits256 : VectorWidth.Bits128;
        }

        return width switch
        {
            VectorWidth.Bits512 => new CpuBackend<Lanes512, Vector512<float>>(threads, arithmetic, kernels, cache),
            VectorWidth.Bits256 => new CpuBackend<Lanes256, Vector256<float>>(threads, arithmetic, kernels, cache),
            _ => new CpuBackend<Lanes128, Vector128<float>>(threads, arithmetic, kernels, cache),
        };
    }
}

/// <summary>The contract on this machine's processors: weights are used where they are mapped, in their stored type; activations are float32.</summary>
internal sealed unsafe partial class CpuBackend<TLanes, V> : IBackend
    where TLanes : ILanes<V>
    where V : struct
{
    /// <summary>Below this much work (multiplications, about) the caller alone is faster than waking the others.</summary>
    private const long WorthSharing = 64 * 1024;

    private readonly WorkerPool _pool;
    private bool _disposed;
    private DeviceBuffer _arranged = DeviceBuffer.OnHost(DType.F32, 1);

    public CpuBackend(int threads, Arithmetic arithmetic, ProductKernels kernels, DType cache)
    {
        (_pool, _arithmetic, _kernels, _cache) = (WorkerPool.Rent(threads), arithmetic, kernels, cache);
        if (arithmetic == Arithmetic.Fast)
        {
            _tiles = kernels is ProductKernels.Auto or ProductKernels.Tiles ? AssembledKernels.Tiles : null;
            _dots = kernels == ProductKernels.VectorDots || (kernels == ProductKernels.Auto && _tiles is null && InstructionSets.Current.Bf16DotsAreFast) ? AssembledKernels.Dots : null;
        }
    }

    public string Name => $"cpu ({TLanes.Width * 32}-bit vectors{(_tiles is not null ? ", tiles" : _dots is not null ? ", bf16 dot products" : "")}{_cache switch { DType.BF16 => ", bf16 cache", DType.I8 => ", int8 cache", _ => "" }})";
    public int Threads => _pool.Threads;

    public Weight LoadMatrix(string name, DType type, int rows, int columns, nint address) => HostFloats.CanRead(type)
        ? new Weight(name, type, rows, columns, new DeviceBuffer(address, type, (long)rows * columns, owner: null))
        : throw new UnsupportedModelException($"Tensor '{name}' is stored as {type}; weights may be F32, F16 or BF16.", name);

    public DeviceBuffer LoadVector(string name, DType type, int length, nint address, float offset = 0)
    {
        if (!HostFloats.CanRead(type))
        {
            throw new UnsupportedModelException($"Tensor '{name}' is stored as {type}; weights may be F32, F16 or BF16.", name);
        }

        return HostFloats.Vector(type, length, address, offset);
    }

    public Rows AllocateRows(int rows, int columns) => new(DeviceBuffer.OnHost(DType.F32, checked((long)rows * columns)), columns, columns);
    public DeviceBuffer AllocateInts(int length) => DeviceBuffer.OnHost(DType.I32, length);

    public void Upload(ReadOnlySpan<int> source, DeviceBuffer destination) => source.CopyTo(new Span<int>((void*)destination.Address, checked((int)destination.Length)));

    public Span<float> Download(Rows rows, int row) => new(Floats(rows) + ((long)row * rows.Stride), rows.Columns);

    public void Embed(in StepInputs step, Ints ids, Weight table, float scale, Rows output)
    {
        var job = new EmbedKernel
        {
            Table = (byte*)table.Data.Address,
            Type = table.Type,
            TableRows = table.Rows,
            Ids = Ints(ids),
            Scale = scale,
            Output = Floats(output),
            OutputStride = output.Stride,
            Columns = table.Columns,
        };
        ShareRows(ref job, step.TokenCount, table.Columns);
    }

    public void RmsNorm(Rows x, DeviceBuffer gain, float epsilon, Rows output, int rows, int groups = 1)
    {
        var job = new NormKernel<TLanes, V>
        {
            X = Floats(x),
            XStride = x.Stride,
            Gain = (float*)gain.Address,
            GainStride = groups > 1 && gain.Length == x.Columns ? x.Columns / groups : 0,
            Output = Floats(output),
            OutputStride = output.Stride,
            Epsilon = epsilon,
            Groups = groups,
            Columns = x.Columns / groups,
        };
        ShareRows(ref job, rows, x.Columns);
    }

    public void AddRmsNorm(Rows residual, Rows x, float scale, DeviceBuffer gain, float epsilon, Rows output, int rows)
    {
        var job = new NormKernel<TLanes, V>
        {
            X = Floats(residual),
            XStride = residual.Stride,
            Addend = Floats(x),
            AddendStride = x.Stride,
            Scale = scale,
            Gain = (float*)gain.Address,
            Output = Floats(output),
            OutputStride = output.Stride,
            Epsilon = epsilon,
            Groups = 1,
            Columns = residual.Columns,
        };
        ShareRows(ref job, rows, residual.Columns);
    }

    public void LayerNorm(Rows x, DeviceBuffer gain, DeviceBuffer? bias, float epsilon, Rows output, int rows)
    {
        var job = new LayerNormKernel<TLanes, V>
        {
            X = Floats(x),
            XStride = x.Stride,
            Gain = (float*)gain.Address,
            Bias = bias is null ? null : (float*)bias.Address,
            Output = Floats(output),
            OutputStride = output.Stride,
            Epsilon = epsilon,
            Columns = x.Columns,
        };
        ShareRows(ref job, rows, x.Columns);
    }

    public void Add(Rows residual, Rows x, float scale, int rows)
    {
        var job = new ScaleKernel<TLanes, V>
        {
            X = Floats(residual),
            XStride = residual.Stride,
            Addend = Floats(x),
            AddendStride = x.Stride,
            Scale = scale,
            Columns = residual.Columns,
        };
        ShareRows(ref job, rows, residual.Columns);
    }

    public void ScaleAndCap(Rows x, float scale, float cap, int rows)
    {
        var job = new ScaleKernel<TLanes, V> { X = Floats(x), XStride = x.Stride, Scale = scale, Cap = cap, Columns = x.Columns };
        ShareRows(ref job, rows, (cap == 0 ? 1L : 8L) * x.Columns);
    }

    public void MatchMagnitude(Rows x, Rows reference, float floor, Rows output, int rows)
    {
        var job = new MagnitudeKernel<TLanes, V>
        {
            X = Floats(x),
            XStride = x.Stride,
            Reference = Floats(reference),
            ReferenceStride = reference.Stride,
            Floor = floor,
            Output = Floats(output),
            OutputStride = output.Stride,
            Columns = x.Columns,
        };
        ShareRows(ref job, rows, x.Columns);
    }

    public void CutBelow(Rows x, float deviations, int rows)
    {
        var job = new CutKernel<TLanes, V> { X = Floats(x), XStride = x.Stride, Deviations = deviations, Columns = x.Columns };
        ShareRows(ref job, rows, x.Columns);
    }

    public void Linear(Rows x, ReadOnlySpan<Projection> projections, Rows output, int rows)
    {
        // Matrices of one type go together; a checkpoint may mix types.
        var targets = stackalloc LinearTarget[projections.Length];
        for (var i = 0; i < projections.Length;)
        {
            int first = i, count = 0, outputs = 0;
            if (projections[i].Matrix.Packed is not null)
            {
                for (; i < projections.Length && projections[i].Matrix.Packed is not null; i++)
                {
                    outputs += projections[i].Matrix.Rows;
                }

                PackedLinear(x, projections[first..i], output, rows);
                output = output.Slice(outputs, output.Columns - outputs);
                continue;
            }

            if (projections[i].Matrix.Format is not WeightFormat.AsStored and var format)
            {
                for (; i < projections.Length && projections[i].Matrix.Format == format; i++)
                {
                    outputs += projections[i].Matrix.Rows;
                }

                GroupedLinear(x, projections[first..i], output, rows);
                output = output.Slice(outputs, output.Columns - outputs);
                continue;
            }

            var type = projections[i].Matrix.Type;
            var tiled = IsTiled(projections[i].Matrix);
            for (; i < projections.Length && projections[i].Matrix is { Packed: null, Format: WeightFormat.AsStored } && projections[i].Matrix.Type == type && IsTiled(projections[i].Matrix) == tiled; i++)
            {
                var (matrix, bias) = projections[i];
                targets[count++] = new LinearTarget((byte*)matrix.Data.Address, bias is null ? null : (float*)bias.Address, matrix.Rows, outputs);
                outputs += matrix.Rows;
            }

            if (tiled)
            {
                TileLinear(x, targets, count, outputs, output, rows);
            }
            else
            {
                Linear(type, x, targets, count, outputs, output, rows);
            }

            output = output.Slice(outputs, output.Columns - outputs);
        }
    }

    public void RotaryTable(in StepInputs step, RotaryFrequencies frequencies, Rows table)
    {
        var half = frequencies.Inverse.Length;
        int* positions = Ints(step.Positions), lengths = Ints(step.RotaryLengths);
        for (var row = 0; row < step.TokenCount; row++)
        {
            var cosines = Floats(table) + ((long)row * table.Stride);
            for (var i = 0; i < half; i++)
            {
                // The angle is rounded to float32, as the reference implementation rounds it.
                var (sin, cos) = MathF.SinCos(positions[row] * frequencies.At(i, lengths[row]));
                cosines[i] = cos * frequencies.Magnitude;
                cosines[half + i] = sin * frequencies.Magnitude;
            }
        }
    }

    public void GatedActivation(Rows gateUp, Activation activation, Rows output, int rows) => Activate(gateUp, output.Columns, activation, output, rows);

    public void Activate(Rows x, Activation activation, Rows output, int rows) => Activate(x, 0, activation, output, rows);

    public void GatherRows(Rows x, Ints rowIndexes, Rows output, int count)
    {
        var indexes = Ints(rowIndexes);
        for (var i = 0; i < count; i++)
        {
            Download(x, indexes[i]).CopyTo(Download(output, i));
        }
    }

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _pool.Dispose();
        _arranged.Dispose();
        _attentionScratch.Dispose();
        _attentionPartials.Dispose();
        _unpacked.Dispose();
        _rounded.Dispose();
        _grouped.Dispose();
        _groupedScratch.Dispose();
        _experts.Dispose();
    }

    private void Activate(Rows x, int up, Activation activation, Rows output, int rows)
    {
        switch (activation.Kind)
        {
            case ActivationKind.Silu:
                Activate<Silu<TLanes, V>>(x, up, activation, output, rows);
                break;
            case ActivationKind.Gelu:
                Activate<Gelu<TLanes, V>>(x, up, activation, output, rows);
                break;
            case ActivationKind.GeluTanh:
                Activate<GeluTanh<TLanes, V>>(x, up, activation, output, rows);
                break;
            case ActivationKind.ClampedSwish:
                Activate<ClampedSwish<TLanes, V>>(x, up, activation, output, rows);
                break;
            case ActivationKind.ReluSquared:
                Activate<ReluSquared<TLanes, V>>(x, up, activation, output, rows);
                break;
            default:
                var job = new ScalarActivationKernel
                {
                    X = Floats(x),
                    XStride = x.Stride,
                    Up = up,
                    Output = Floats(output),
                    OutputStride = output.Stride,
                    Columns = output.Columns,
                    Constants = activation,
                };
                ShareRows(ref job, rows, 50L * output.Columns);
                break;
        }
    }

    private void Activate<TActivation>(Rows x, int up, Activation activation, Rows output, int rows)
        where TActivation : IActivation<TLanes, V>
    {
        var job = new ActivationKernel<TLanes, V, TActivation>
        {
            X = Floats(x),
            XStride = x.Stride,
            Up = up,
            Output = Floats(output),
            OutputStride = output.Stride,
            Columns = output.Columns,
            Constants = activation,
        };
        ShareRows(ref job, rows, 8L * output.Columns);
    }

    private static float* Floats(Rows rows) => (float*)rows.Buffer.Address + rows.Column;
    private static int* Ints(Ints view) => (int*)view.Buffer.Address + view.Start;

    private void Linear(DType type, Rows x, LinearTarget* targets, int count, int outputs, Rows output, int rows)
    {
        if (_dots is not null && type == DType.BF16)
        {
            AssembledLinear(x, targets, count, outputs, output, rows);
            return;
        }

        x = Rounded(x, rows);
        switch (type)
        {
            case DType.BF16:
                Linear<BFloat16Weights<TLanes, V>>(x, targets, count, outputs, output, rows);
                break;
            case DType.F16:
                Linear<Float16Weights<TLanes, V>>(x, targets, count, outputs, output, rows);
                break;
            default:
                Linear<Float32Weights<TLanes, V>>(x, targets, count, outputs, output, rows);
                break;
        }
    }

    private void Linear<TWeights>(Rows x, LinearTarget* targets, int targetCount, int outputs, Rows output, int rows)
        where TWeights : IWeightReader<V>
    {
        var input = Arranged<TWeights>(x, rows, out var stride);
        var job = new LinearKernel<TLanes, V, TWeights>
        {
            X = input,
            XStride = stride,
            Output = Floats(output),
            OutputStride = output.Stride,
            Rows = rows,
            Inputs = x.Columns,
            Targets = targets,
            TargetCount = targetCount,
        };
        Share(ref job, outputs, LinearKernel<TLanes, V, TWeights>.Grain(rows, x.Columns, outputs, Threads), (long)rows * outputs * x.Columns);
    }

    /// <summary>The rows as a product with such weights reads them.</summary>
    private float* Arranged<TWeights>(Rows x, int rows, out long stride)
        where TWeights : IWeightReader<V>
    {
        if (!TWeights.Interleaved)
        {
            stride = x.Stride;
            return Floats(x);
        }

        Grow(ref _arranged, (long)rows * x.Columns);
        var arrange = new ArrangeKernel<TLanes, V> { X = Floats(x), XStride = x.Stride, Output = (float*)_arranged.Address, Columns = x.Columns };
        ShareRows(ref arrange, rows, x.Columns);
        stride = x.Columns;
        return arrange.Output;
    }

    /// <summary>Rows dealt in a few pieces a thread.</summary>
    private void ShareRows<TJob>(ref TJob job, int rows, long workPerRow)
        where TJob : unmanaged, IParallelJob => Share(ref job, rows, Math.Max(1, rows / (4 * Threads)), rows * workPerRow);

    private void Share<TJob>(ref TJob job, int items, int grain, long work)
        where TJob : unmanaged, IParallelJob
    {
        if (work < WorthSharing)
        {
            job.Run(0, items, 0);
        }
        else
        {
            _pool.Run(ref job, items, grain);
        }
    }

    private static void Grow(ref DeviceBuffer buffer, long length)
    {
        if (buffer.Length < length)
        {
            buffer.Dispose();
            buffer = DeviceBuffer.OnHost(buffer.Type, length);
        }
    }
}
