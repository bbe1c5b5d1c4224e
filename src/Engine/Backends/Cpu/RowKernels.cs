using System.Runtime.CompilerServices;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>output = x / sqrt(mean(x²) + epsilon) * gain, row by row; with <see cref="Addend"/> the row is x += addend first.</summary>
internal unsafe struct NormKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    public float* X;
    public long XStride;

    /// <summary>Null: nothing is added and x stays as it is.</summary>
    public float* Addend;
    public long AddendStride;
    public float* Gain;
    public float* Output;
    public long OutputStride;
    public float Epsilon;
    public int Rows;
    public int Columns;

    public readonly void Run(int thread, int threads)
    {
        int first = (int)((long)Rows * thread / threads), end = (int)((long)Rows * (thread + 1) / threads);
        for (var row = first; row < end; row++)
        {
            Norm(X + (row * XStride), Addend is null ? null : Addend + (row * AddendStride), Gain, Output + (row * OutputStride), Columns, Epsilon);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Norm(float* x, float* addend, float* gain, float* output, int columns, float epsilon)
    {
        V even = TLanes.Zero, odd = TLanes.Zero;
        var i = 0;
        for (; i + (2 * TLanes.Width) <= columns; i += 2 * TLanes.Width)
        {
            V a = TLanes.Load(x + i), b = TLanes.Load(x + i + TLanes.Width);
            if (addend is not null)
            {
                a = TLanes.Add(a, TLanes.Load(addend + i));
                b = TLanes.Add(b, TLanes.Load(addend + i + TLanes.Width));
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
                x[i] += addend[i];
            }

            sum = float.MultiplyAddEstimate(x[i], x[i], sum);
        }

        var scale = 1f / MathF.Sqrt((sum / columns) + epsilon);
        var factor = TLanes.Broadcast(scale);
        for (i = 0; i + TLanes.Width <= columns; i += TLanes.Width)
        {
            TLanes.Store(TLanes.Multiply(TLanes.Multiply(TLanes.Load(x + i), factor), TLanes.Load(gain + i)), output + i);
        }

        for (; i < columns; i++)
        {
            output[i] = x[i] * scale * gain[i];
        }
    }
}

/// <summary>output = gate * sigmoid(gate) * up</summary>
internal unsafe struct SiluKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    /// <summary><c>[rows, columns | columns]</c>: gate, then up.</summary>
    public float* GateUp;
    public long GateUpStride;
    public float* Output;
    public long OutputStride;
    public int Rows;
    public int Columns;

    public readonly void Run(int thread, int threads)
    {
        // Long rows are few in decode: split columns then, rows otherwise.
        if (Rows < threads)
        {
            var piece = (Columns / threads) & ~(TLanes.Width - 1);
            int from = thread * piece, to = thread == threads - 1 ? Columns : from + piece;
            for (var row = 0; row < Rows; row++)
            {
                Silu(GateUp + (row * GateUpStride), Output + (row * OutputStride), from, to, Columns);
            }

            return;
        }

        int first = (int)((long)Rows * thread / threads), end = (int)((long)Rows * (thread + 1) / threads);
        for (var row = first; row < end; row++)
        {
            Silu(GateUp + (row * GateUpStride), Output + (row * OutputStride), 0, Columns, Columns);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Silu(float* gateUp, float* output, int from, int to, int columns)
    {
        var one = TLanes.Broadcast(1f);
        var up = gateUp + columns;
        var i = from;
        for (; i + TLanes.Width <= to; i += TLanes.Width)
        {
            var gate = TLanes.Load(gateUp + i);
            var sigmoidInverse = TLanes.Add(one, TLanes.Exp(TLanes.Subtract(TLanes.Zero, gate)));
            TLanes.Store(TLanes.Multiply(TLanes.Divide(gate, sigmoidInverse), TLanes.Load(up + i)), output + i);
        }

        for (; i < to; i++)
        {
            output[i] = gateUp[i] / (1f + MathF.Exp(-gateUp[i])) * up[i];
        }
    }
}

/// <summary>Rows of a table by index, as floats.</summary>
internal unsafe struct EmbedKernel : IParallelJob
{
    public byte* Table;
    public DType Type;
    public int* Ids;
    public float* Output;
    public long OutputStride;
    public int Rows;
    public int Columns;

    public readonly void Run(int thread, int threads)
    {
        int first = (int)((long)Rows * thread / threads), end = (int)((long)Rows * (thread + 1) / threads);
        for (var row = first; row < end; row++)
        {
            HostFloats.Read(Table + ((long)Ids[row] * Columns * Type.ByteSize()), Type, new Span<float>(Output + (row * OutputStride), Columns));
        }
    }
}
