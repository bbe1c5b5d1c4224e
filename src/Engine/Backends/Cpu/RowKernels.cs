using System.Runtime.CompilerServices;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>output = x / sqrt(mean(x²) + epsilon) * gain, row by row; with <see cref="Addend"/> the row is x += addend * scale first.</summary>
internal unsafe struct NormKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    public float* X;
    public long XStride;

    /// <summary>Null: nothing is added and x stays as it is.</summary>
    public float* Addend;
    public long AddendStride;
    public float Scale;
    public float* Gain;

    /// <summary>From the gain of a part to that of the next; 0 where all share one.</summary>
    public long GainStride;
    public float* Output;
    public long OutputStride;
    public float Epsilon;

    /// <summary>Parts of a row, each normalised by itself.</summary>
    public int Groups;

    /// <summary>Elements of a part.</summary>
    public int Columns;

    public readonly void Run(int from, int end, int thread)
    {
        for (var row = from; row < end; row++)
        {
            for (var group = 0; group < Groups; group++)
            {
                var at = (long)group * Columns;
                Norm(X + (row * XStride) + at, Addend is null ? null : Addend + (row * AddendStride) + at, Scale, Gain + (group * GainStride), Output + (row * OutputStride) + at, Columns, Epsilon);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Norm(float* x, float* addend, float scale, float* gain, float* output, int columns, float epsilon)
    {
        V even = TLanes.Zero, odd = TLanes.Zero, addendScale = TLanes.Broadcast(scale);
        var i = 0;
        for (; i + (2 * TLanes.Width) <= columns; i += 2 * TLanes.Width)
        {
            V a = TLanes.Load(x + i), b = TLanes.Load(x + i + TLanes.Width);
            if (addend is not null)
            {
                a = TLanes.Add(a, TLanes.Multiply(TLanes.Load(addend + i), addendScale));
                b = TLanes.Add(b, TLanes.Multiply(TLanes.Load(addend + i + TLanes.Width), addendScale));
                TLanes.Store(a, x + i);
                TLanes.Store(b, x + i + TLanes.Width);
            }

            even = TLanes.MultiplyAdd(a, a, even);
            odd = TLanes.MultiplyAdd(b, b, odd);
        }

        var sum = TLanes.Sum(TLanes.Add(even, odd));
        for (; i < columns; i++)
        {
            if (addend is not null)
            {
                x[i] += addend[i] * scale;
            }

            sum = float.MultiplyAddEstimate(x[i], x[i], sum);
        }

        var inverse = 1f / MathF.Sqrt((sum / columns) + epsilon);
        var factor = TLanes.Broadcast(inverse);
        for (i = 0; i + TLanes.Width <= columns; i += TLanes.Width)
        {
            TLanes.Store(TLanes.Multiply(TLanes.Multiply(TLanes.Load(x + i), factor), TLanes.Load(gain + i)), output + i);
        }

        for (; i < columns; i++)
        {
            output[i] = x[i] * inverse * gain[i];
        }
    }
}

/// <summary>output = (x - mean) / sqrt(variance + epsilon) * gain + bias, row by row.</summary>
internal unsafe struct LayerNormKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    public float* X;
    public long XStride;
    public float* Gain;

    /// <summary>Or null.</summary>
    public float* Bias;
    public float* Output;
    public long OutputStride;
    public float Epsilon;
    public int Columns;

    public readonly void Run(int from, int end, int thread)
    {
        for (var row = from; row < end; row++)
        {
            Norm(X + (row * XStride), Gain, Bias, Output + (row * OutputStride), Columns, Epsilon);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Norm(float* x, float* gain, float* bias, float* output, int columns, float epsilon)
    {
        var blocked = columns - (columns % TLanes.Width);
        var sums = TLanes.Zero;
        for (var i = 0; i < blocked; i += TLanes.Width)
        {
            sums = TLanes.Add(sums, TLanes.Load(x + i));
        }

        var sum = TLanes.Sum(sums);
        for (var i = blocked; i < columns; i++)
        {
            sum += x[i];
        }

        var mean = sum / columns;
        V center = TLanes.Broadcast(mean), squares = TLanes.Zero;
        for (var i = 0; i < blocked; i += TLanes.Width)
        {
            var d = TLanes.Subtract(TLanes.Load(x + i), center);
            squares = TLanes.MultiplyAdd(d, d, squares);
        }

        var variance = TLanes.Sum(squares);
        for (var i = blocked; i < columns; i++)
        {
            variance += (x[i] - mean) * (x[i] - mean);
        }

        var inverse = 1f / MathF.Sqrt((variance / columns) + epsilon);
        var factor = TLanes.Broadcast(inverse);
        for (var i = 0; i < blocked; i += TLanes.Width)
        {
            var y = TLanes.Multiply(TLanes.Multiply(TLanes.Subtract(TLanes.Load(x + i), center), factor), TLanes.Load(gain + i));
            TLanes.Store(bias is null ? y : TLanes.Add(y, TLanes.Load(bias + i)), output + i);
        }

        for (var i = blocked; i < columns; i++)
        {
            output[i] = ((x[i] - mean) * inverse * gain[i]) + (bias is null ? 0f : bias[i]);
        }
    }
}

/// <summary>x += addend * scale, or, without an addend, x *= scale followed by the soft cap.</summary>
internal unsafe struct ScaleKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    public float* X;
    public long XStride;

    /// <summary>Or null.</summary>
    public float* Addend;
    public long AddendStride;
    public float Scale;

    /// <summary>0: none.</summary>
    public float Cap;
    public int Columns;

    public readonly void Run(int from, int end, int thread)
    {
        for (var row = from; row < end; row++)
        {
            if (Addend is not null)
            {
                Add(X + (row * XStride), Addend + (row * AddendStride), Scale, Columns);
            }
            else
            {
                ScaleAndCap(X + (row * XStride), Scale, Cap, Columns);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add(float* x, float* addend, float scale, int columns)
    {
        var i = 0;
        for (var factor = TLanes.Broadcast(scale); i + TLanes.Width <= columns; i += TLanes.Width)
        {
            TLanes.Store(TLanes.Add(TLanes.Load(x + i), TLanes.Multiply(TLanes.Load(addend + i), factor)), x + i);
        }

        for (; i < columns; i++)
        {
            x[i] += addend[i] * scale;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ScaleAndCap(float* x, float scale, float cap, int columns)
    {
        var i = 0;
        for (V factor = TLanes.Broadcast(scale), limit = TLanes.Broadcast(cap); i + TLanes.Width <= columns; i += TLanes.Width)
        {
            var y = TLanes.Multiply(TLanes.Load(x + i), factor);
            TLanes.Store(cap == 0 ? y : TLanes.Multiply(Functions<TLanes, V>.Tanh(TLanes.Divide(y, limit)), limit), x + i);
        }

        for (; i < columns; i++)
        {
            var y = x[i] * scale;
            x[i] = cap == 0 ? y : MathF.Tanh(y / cap) * cap;
        }
    }
}

/// <summary>Rows of a table by index, as floats.</summary>
internal unsafe struct EmbedKernel : IParallelJob
{
    public byte* Table;
    public DType Type;

    /// <summary>Rows of the table; an id beyond takes the first.</summary>
    public int TableRows;
    public int* Ids;
    public float Scale;
    public float* Output;
    public long OutputStride;
    public int Columns;

    public readonly void Run(int from, int end, int thread)
    {
        for (var row = from; row < end; row++)
        {
            var output = new Span<float>(Output + (row * OutputStride), Columns);
            HostFloats.Read(Table + ((Ids[row] < TableRows ? (long)Ids[row] : 0) * Columns * Type.ByteSize()), Type, output);
            if (Scale != 1)
            {
                for (var i = 0; i < output.Length; i++)
                {
                    output[i] *= Scale;
                }
            }
        }
    }
}
