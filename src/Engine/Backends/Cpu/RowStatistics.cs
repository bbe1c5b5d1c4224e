using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Verbs that change a row by what the whole of it is like.</summary>
internal static unsafe class RowStatistics<TLanes, V>
    where TLanes : ILanes<V>
    where V : struct
{
    /// <summary>Sum of (x - center)², or of x where <paramref name="squares"/> is false.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Sum(float* x, float center, bool squares, int columns)
    {
        V sums = TLanes.Zero, middle = TLanes.Broadcast(center);
        var i = 0;
        for (; i + TLanes.Width <= columns; i += TLanes.Width)
        {
            var d = TLanes.Subtract(TLanes.Load(x + i), middle);
            sums = squares ? TLanes.MultiplyAdd(d, d, sums) : TLanes.Add(sums, d);
        }

        var sum = TLanes.Sum(sums);
        for (; i < columns; i++)
        {
            var d = x[i] - center;
            sum += squares ? d * d : d;
        }

        return sum;
    }
}

/// <summary>output = x * sqrt(mean(reference²)) / sqrt(max(mean(x²), floor)), row by row.</summary>
internal unsafe struct MagnitudeKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    public float* X;
    public long XStride;
    public float* Reference;
    public long ReferenceStride;
    public float Floor;
    public float* Output;
    public long OutputStride;
    public int Columns;

    public readonly void Run(int from, int end, int thread)
    {
        for (var row = from; row < end; row++)
        {
            var x = X + (row * XStride);
            var output = Output + (row * OutputStride);
            var target = MathF.Sqrt(RowStatistics<TLanes, V>.Sum(Reference + (row * ReferenceStride), 0, squares: true, Columns) / Columns);
            var factor = target / MathF.Sqrt(Math.Max(RowStatistics<TLanes, V>.Sum(x, 0, squares: true, Columns) / Columns, Floor));
            for (var i = 0; i < Columns; i++)
            {
                output[i] = x[i] * factor;
            }
        }
    }
}

/// <summary>x = max(0, x - mean - deviations * standard deviation), row by row.</summary>
internal unsafe struct CutKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    public float* X;
    public long XStride;
    public float Deviations;
    public int Columns;

    public readonly void Run(int from, int end, int thread)
    {
        for (var row = from; row < end; row++)
        {
            var x = X + (row * XStride);
            var mean = RowStatistics<TLanes, V>.Sum(x, 0, squares: false, Columns) / Columns;
            var cut = mean + (Deviations * MathF.Sqrt(RowStatistics<TLanes, V>.Sum(x, mean, squares: true, Columns) / Columns));
            for (var i = 0; i < Columns; i++)
            {
                x[i] = x[i] > cut ? x[i] - cut : float.IsNaN(x[i]) ? x[i] : 0;
            }
        }
    }
}
