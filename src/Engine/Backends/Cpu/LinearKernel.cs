using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>One matrix of a <see cref="LinearKernel{TLanes,V,TWeights}"/> call.</summary>
/// <param name="weights"><c>[outputs, inputs]</c> in its stored type.</param>
/// <param name="bias"><c>[outputs]</c> or null.</param>
/// <param name="outputs">Rows of the matrix.</param>
/// <param name="column">First column of this matrix's outputs.</param>
internal readonly unsafe struct LinearTarget(byte* weights, float* bias, int outputs, int column)
{
    public readonly byte* Weights = weights;
    public readonly float* Bias = bias;
    public readonly int Outputs = outputs;
    public readonly int Column = column;
}

/// <summary>output[m][n] = sum over k of x[m][k] * w[n][k] (+ bias[n]).
/// <para>Arithmetic, the same in every tile: one vector accumulator per output runs over the inputs in blocks of 2 * Width (first half, then second half of the block),
/// is summed across by <see cref="ILanes{V}.Sum4"/>, then the inputs that fill no block are added one by one, then the bias. So an output has the same bits
/// in a single row, a batch or a prefill chunk, and on any number of threads.</para>
/// <para>A single row (decode) is bound by reading the weights once; eight of them run side by side to cover the latency of the multiply-add. More rows use
/// register tiles of rows x 4 outputs, over a panel of weights small enough to stay in the second-level cache.</para></summary>
internal unsafe struct LinearKernel<TLanes, V, TWeights> : IExpertProduct<LinearTarget>
    where TLanes : ILanes<V>
    where V : struct
    where TWeights : IWeightReader<V>
{
    /// <summary>Weights claimed at once when few rows share them; small, so that all threads end together.</summary>
    private const int FewRowsPanelBytes = 16 * 1024;

    /// <summary>Outputs claimed at once when many rows share them: the panel is read again for each tile of rows.</summary>
    private const int ManyRowsPanelOutputs = 128;

    /// <summary><c>[rows, inputs]</c>, laid out by <see cref="ArrangeKernel{TLanes,V}"/> for interleaved weights.</summary>
    public float* X;
    public long XStride;
    public float* Output;
    public long OutputStride;
    public int Rows;
    public int Inputs;

    public LinearTarget* Targets;
    public int TargetCount;

    readonly int IExpertProduct<LinearTarget>.TargetCount => TargetCount;

    /// <summary>Outputs to claim at once.</summary>
    public static int Grain(int rows, int inputs, int outputs, int threads) => rows <= 8
        ? Math.Max(8, FewRowsPanelBytes / (inputs * TWeights.ElementSize) & ~7)
        : Math.Min(ManyRowsPanelOutputs, Math.Max(8, outputs / (threads * 2) & ~7));

    public void Take(int place, int rows, LinearTarget* targets)
    {
        X += place * XStride;
        Output += place * OutputStride;
        Rows = rows;
        Targets = targets;
    }

    /// <summary>An item is an output, over all targets side by side.</summary>
    public readonly void Run(int from, int end, int thread)
    {
        for (var t = 0; t < TargetCount; t++)
        {
            ref readonly var target = ref Targets[t];
            int first = Math.Max(0, from - target.Column), last = Math.Min(target.Outputs, end - target.Column);
            if (first < last)
            {
                Panel(in target, first, last);
            }
        }
    }

    /// <summary>Outputs from..to of one target, for all rows.</summary>
    private readonly void Panel(in LinearTarget target, int from, int to)
    {
        var row = 0;
        while (row < Rows)
        {
            var left = Rows - row;
            if (left == 1)
            {
                for (var n = from; n < to; n += 8)
                {
                    Tile1x8(in target, row, n, to);
                }

                row++;
            }
            else if (left >= 4 && TLanes.Width == 16)
            {
                for (var n = from; n < to; n += 4)
                {
                    Tile6x4(in target, row, n, to);
                }

                row += 6;
            }
            else
            {
                for (var n = from; n < to; n += 4)
                {
                    Tile3x4(in target, row, n, to);
                }

                row += 3;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Tile1x8(in LinearTarget target, int row, int n, int end)
    {
        var pitch = (long)Inputs * TWeights.ElementSize;
        var last = end - 1 - n;
        var w = target.Weights + (n * pitch);
        byte* w0 = w, w1 = w + (Math.Min(1, last) * pitch), w2 = w + (Math.Min(2, last) * pitch), w3 = w + (Math.Min(3, last) * pitch);
        byte* w4 = w + (Math.Min(4, last) * pitch), w5 = w + (Math.Min(5, last) * pitch), w6 = w + (Math.Min(6, last) * pitch), w7 = w + (Math.Min(7, last) * pitch);
        var x = X + (row * XStride);
        V c0 = TLanes.Zero, c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
        var blocked = Inputs - (Inputs % (2 * TLanes.Width));
        for (long k = 0; k < blocked; k += 2 * TLanes.Width)
        {
            // Eight rows side by side look like no stream to the processor: ask for the next eight in the order of memory, as many bytes as this pass reads.
            var at = k * TWeights.ElementSize;
            Prefetch(w + (8 * (pitch + at)), 16 * TLanes.Width * TWeights.ElementSize);
            var xa = TLanes.Load(x + k);
            var xb = TLanes.Load(x + k + TLanes.Width);
            c0 = TLanes.MultiplyAdd(TWeights.Second(w0 + at), xb, TLanes.MultiplyAdd(TWeights.First(w0 + at), xa, c0));
            c1 = TLanes.MultiplyAdd(TWeights.Second(w1 + at), xb, TLanes.MultiplyAdd(TWeights.First(w1 + at), xa, c1));
            c2 = TLanes.MultiplyAdd(TWeights.Second(w2 + at), xb, TLanes.MultiplyAdd(TWeights.First(w2 + at), xa, c2));
            c3 = TLanes.MultiplyAdd(TWeights.Second(w3 + at), xb, TLanes.MultiplyAdd(TWeights.First(w3 + at), xa, c3));
            c4 = TLanes.MultiplyAdd(TWeights.Second(w4 + at), xb, TLanes.MultiplyAdd(TWeights.First(w4 + at), xa, c4));
            c5 = TLanes.MultiplyAdd(TWeights.Second(w5 + at), xb, TLanes.MultiplyAdd(TWeights.First(w5 + at), xa, c5));
            c6 = TLanes.MultiplyAdd(TWeights.Second(w6 + at), xb, TLanes.MultiplyAdd(TWeights.First(w6 + at), xa, c6));
            c7 = TLanes.MultiplyAdd(TWeights.Second(w7 + at), xb, TLanes.MultiplyAdd(TWeights.First(w7 + at), xa, c7));
        }

        var sums = stackalloc Vector128<float>[2];
        sums[0] = TLanes.Sum4(c0, c1, c2, c3);
        sums[1] = TLanes.Sum4(c4, c5, c6, c7);
        Finish(in target, sums, row, 1, n, end);
        if (n + 4 < end)
        {
            Finish(in target, sums + 1, row, 1, n + 4, end);
        }
    }

    /// <summary>Starts reading memory into the second-level cache; harmless beyond the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* address, int bytes)
    {
        if (Sse.IsSupported)
        {
            for (var i = 0; i < bytes; i += 64)
            {
                Sse.Prefetch1(address + i);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Tile3x4(in LinearTarget target, int row, int n, int end)
    {
        var pitch = (long)Inputs * TWeights.ElementSize;
        int last = end - 1 - n, lastRow = Rows - 1;
        var w = target.Weights + (n * pitch);
        byte* w0 = w, w1 = w + (Math.Min(1, last) * pitch), w2 = w + (Math.Min(2, last) * pitch), w3 = w + (Math.Min(3, last) * pitch);
        float* x0 = X + (row * XStride), x1 = X + (Math.Min(row + 1, lastRow) * XStride), x2 = X + (Math.Min(row + 2, lastRow) * XStride);
        V c00 = TLanes.Zero, c01 = c00, c02 = c00, c03 = c00;
        V c10 = c00, c11 = c00, c12 = c00, c13 = c00;
        V c20 = c00, c21 = c00, c22 = c00, c23 = c00;
        var blocked = Inputs - (Inputs % (2 * TLanes.Width));
        var ahead = row == 0 ? 4 * pitch : 0;    // the panel is in the cache once the first rows went over it
        for (long k = 0; k < blocked; k += 2 * TLanes.Width)
        {
            var at = k * TWeights.ElementSize;
            Prefetch(w + ahead + (4 * at), 8 * TLanes.Width * TWeights.ElementSize);
            V xa = TLanes.Load(x0 + k), xb = TLanes.Load(x1 + k), xc = TLanes.Load(x2 + k);
            var a = TWeights.First(w0 + at);
            c00 = TLanes.MultiplyAdd(a, xa, c00);
            c10 = TLanes.MultiplyAdd(a, xb, c10);
            c20 = TLanes.MultiplyAdd(a, xc, c20);
            a = TWeights.First(w1 + at);
            c01 = TLanes.MultiplyAdd(a, xa, c01);
            c11 = TLanes.MultiplyAdd(a, xb, c11);
            c21 = TLanes.MultiplyAdd(a, xc, c21);
            a = TWeights.First(w2 + at);
            c02 = TLanes.MultiplyAdd(a, xa, c02);
            c12 = TLanes.MultiplyAdd(a, xb, c12);
            c22 = TLanes.MultiplyAdd(a, xc, c22);
            a = TWeights.First(w3 + at);
            c03 = TLanes.MultiplyAdd(a, xa, c03);
            c13 = TLanes.MultiplyAdd(a, xb, c13);
            c23 = TLanes.MultiplyAdd(a, xc, c23);

            xa = TLanes.Load(x0 + k + TLanes.Width);
            xb = TLanes.Load(x1 + k + TLanes.Width);
            xc = TLanes.Load(x2 + k + TLanes.Width);
            a = TWeights.Second(w0 + at);
            c00 = TLanes.MultiplyAdd(a, xa, c00);
            c10 = TLanes.MultiplyAdd(a, xb, c10);
            c20 = TLanes.MultiplyAdd(a, xc, c20);
            a = TWeights.Second(w1 + at);
            c01 = TLanes.MultiplyAdd(a, xa, c01);
            c11 = TLanes.MultiplyAdd(a, xb, c11);
            c21 = TLanes.MultiplyAdd(a, xc, c21);
            a = TWeights.Second(w2 + at);
            c02 = TLanes.MultiplyAdd(a, xa, c02);
            c12 = TLanes.MultiplyAdd(a, xb, c12);
            c22 = TLanes.MultiplyAdd(a, xc, c22);
            a = TWeights.Second(w3 + at);
            c03 = TLanes.MultiplyAdd(a, xa, c03);
            c13 = TLanes.MultiplyAdd(a, xb, c13);
            c23 = TLanes.MultiplyAdd(a, xc, c23);
        }

        var sums = stackalloc Vector128<float>[3];
        sums[0] = TLanes.Sum4(c00, c01, c02, c03);
        sums[1] = TLanes.Sum4(c10, c11, c12, c13);
        sums[2] = TLanes.Sum4(c20, c21, c22, c23);
        Finish(in target, sums, row, 3, n, end);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Tile6x4(in LinearTarget target, int row, int n, int end)
    {
        var pitch = (long)Inputs * TWeights.ElementSize;
        int last = end - 1 - n, lastRow = Rows - 1;
        var w = target.Weights + (n * pitch);
        byte* w0 = w, w1 = w + (Math.Min(1, last) * pitch), w2 = w + (Math.Min(2, last) * pitch), w3 = w + (Math.Min(3, last) * pitch);
        float* x0 = X + (row * XStride), x1 = X + (Math.Min(row + 1, lastRow) * XStride), x2 = X + (Math.Min(row + 2, lastRow) * XStride);
        float* x3 = X + (Math.Min(row + 3, lastRow) * XStride), x4 = X + (Math.Min(row + 4, lastRow) * XStride), x5 = X + (Math.Min(row + 5, lastRow) * XStride);
        V c00 = TLanes.Zero, c01 = c00, c02 = c00, c03 = c00;
        V c10 = c00, c11 = c00, c12 = c00, c13 = c00;
        V c20 = c00, c21 = c00, c22 = c00, c23 = c00;
        V c30 = c00, c31 = c00, c32 = c00, c33 = c00;
        V c40 = c00, c41 = c00, c42 = c00, c43 = c00;
        V c50 = c00, c51 = c00, c52 = c00, c53 = c00;
        var blocked = Inputs - (Inputs % (2 * TLanes.Width));
        var ahead = row == 0 ? 4 * pitch : 0;    // the panel is in the cache once the first rows went over it
        for (long k = 0; k < blocked; k += 2 * TLanes.Width)
        {
            var at = k * TWeights.ElementSize;
            Prefetch(w + ahead + (4 * at), 8 * TLanes.Width * TWeights.ElementSize);
            V a0 = TWeights.First(w0 + at), a1 = TWeights.First(w1 + at), a2 = TWeights.First(w2 + at), a3 = TWeights.First(w3 + at);
            var xv = TLanes.Load(x0 + k);
            c00 = TLanes.MultiplyAdd(a0, xv, c00);
            c01 = TLanes.MultiplyAdd(a1, xv, c01);
            c02 = TLanes.MultiplyAdd(a2, xv, c02);
            c03 = TLanes.MultiplyAdd(a3, xv, c03);
            xv = TLanes.Load(x1 + k);
            c10 = TLanes.MultiplyAdd(a0, xv, c10);
            c11 = TLanes.MultiplyAdd(a1, xv, c11);
            c12 = TLanes.MultiplyAdd(a2, xv, c12);
            c13 = TLanes.MultiplyAdd(a3, xv, c13);
            xv = TLanes.Load(x2 + k);
            c20 = TLanes.MultiplyAdd(a0, xv, c20);
            c21 = TLanes.MultiplyAdd(a1, xv, c21);
            c22 = TLanes.MultiplyAdd(a2, xv, c22);
            c23 = TLanes.MultiplyAdd(a3, xv, c23);
            xv = TLanes.Load(x3 + k);
            c30 = TLanes.MultiplyAdd(a0, xv, c30);
            c31 = TLanes.MultiplyAdd(a1, xv, c31);
            c32 = TLanes.MultiplyAdd(a2, xv, c32);
            c33 = TLanes.MultiplyAdd(a3, xv, c33);
            xv = TLanes.Load(x4 + k);
            c40 = TLanes.MultiplyAdd(a0, xv, c40);
            c41 = TLanes.MultiplyAdd(a1, xv, c41);
            c42 = TLanes.MultiplyAdd(a2, xv, c42);
            c43 = TLanes.MultiplyAdd(a3, xv, c43);
            xv = TLanes.Load(x5 + k);
            c50 = TLanes.MultiplyAdd(a0, xv, c50);
            c51 = TLanes.MultiplyAdd(a1, xv, c51);
            c52 = TLanes.MultiplyAdd(a2, xv, c52);
            c53 = TLanes.MultiplyAdd(a3, xv, c53);

            a0 = TWeights.Second(w0 + at);
            a1 = TWeights.Second(w1 + at);
            a2 = TWeights.Second(w2 + at);
            a3 = TWeights.Second(w3 + at);
            xv = TLanes.Load(x0 + k + TLanes.Width);
            c00 = TLanes.MultiplyAdd(a0, xv, c00);
            c01 = TLanes.MultiplyAdd(a1, xv, c01);
            c02 = TLanes.MultiplyAdd(a2, xv, c02);
            c03 = TLanes.MultiplyAdd(a3, xv, c03);
            xv = TLanes.Load(x1 + k + TLanes.Width);
            c10 = TLanes.MultiplyAdd(a0, xv, c10);
            c11 = TLanes.MultiplyAdd(a1, xv, c11);
            c12 = TLanes.MultiplyAdd(a2, xv, c12);
            c13 = TLanes.MultiplyAdd(a3, xv, c13);
            xv = TLanes.Load(x2 + k + TLanes.Width);
            c20 = TLanes.MultiplyAdd(a0, xv, c20);
            c21 = TLanes.MultiplyAdd(a1, xv, c21);
            c22 = TLanes.MultiplyAdd(a2, xv, c22);
            c23 = TLanes.MultiplyAdd(a3, xv, c23);
            xv = TLanes.Load(x3 + k + TLanes.Width);
            c30 = TLanes.MultiplyAdd(a0, xv, c30);
            c31 = TLanes.MultiplyAdd(a1, xv, c31);
            c32 = TLanes.MultiplyAdd(a2, xv, c32);
            c33 = TLanes.MultiplyAdd(a3, xv, c33);
            xv = TLanes.Load(x4 + k + TLanes.Width);
            c40 = TLanes.MultiplyAdd(a0, xv, c40);
            c41 = TLanes.MultiplyAdd(a1, xv, c41);
            c42 = TLanes.MultiplyAdd(a2, xv, c42);
            c43 = TLanes.MultiplyAdd(a3, xv, c43);
            xv = TLanes.Load(x5 + k + TLanes.Width);
            c50 = TLanes.MultiplyAdd(a0, xv, c50);
            c51 = TLanes.MultiplyAdd(a1, xv, c51);
            c52 = TLanes.MultiplyAdd(a2, xv, c52);
            c53 = TLanes.MultiplyAdd(a3, xv, c53);
        }

        var sums = stackalloc Vector128<float>[6];
        sums[0] = TLanes.Sum4(c00, c01, c02, c03);
        sums[1] = TLanes.Sum4(c10, c11, c12, c13);
        sums[2] = TLanes.Sum4(c20, c21, c22, c23);
        sums[3] = TLanes.Sum4(c30, c31, c32, c33);
        sums[4] = TLanes.Sum4(c40, c41, c42, c43);
        sums[5] = TLanes.Sum4(c50, c51, c52, c53);
        Finish(in target, sums, row, 6, n, end);
    }

    /// <summary>Adds what fills no block and the bias, and writes up to four outputs of each row (none for rows that only filled the tile).
    /// Not inlined, and handed the sums in memory: a call while accumulators are alive makes the compiler keep them all in memory, in the loop too.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly void Finish(in LinearTarget target, Vector128<float>* sums, int row, int rows, int n, int end)
    {
        for (var i = 0; i < rows && row + i < Rows; i++)
        {
            var output = Output + ((row + i) * OutputStride) + target.Column + n;
            if (n + 4 <= end && Inputs % (2 * TLanes.Width) == 0)
            {
                (target.Bias is null ? sums[i] : sums[i] + Vector128.Load(target.Bias + n)).Store(output);
            }
            else
            {
                FinishSlowly(in target, sums[i], row + i, n, Math.Min(4, end - n), output);
            }
        }
    }

    private readonly void FinishSlowly(in LinearTarget target, Vector128<float> sums, int row, int n, int count, float* output)
    {
        var blocked = Inputs - (Inputs % (2 * TLanes.Width));
        var x = X + (row * XStride);
        for (var i = 0; i < count; i++)
        {
            var sum = sums.GetElement(i);
            var w = target.Weights + ((long)(n + i) * Inputs * TWeights.ElementSize);
            for (var k = blocked; k < Inputs; k++)
            {
                sum = float.MultiplyAddEstimate(TWeights.Scalar(w + (k * TWeights.ElementSize)), x[k], sum);
            }

            output[i] = target.Bias is null ? sum : sum + target.Bias[n + i];
        }
    }
}

/// <summary>Lays activation rows out for interleaved weights: in each block of 2 * Width floats the even places first, then the odd ones; what fills no block stays as it is.</summary>
internal unsafe struct ArrangeKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    public float* X;
    public long XStride;
    public float* Output;
    public int Columns;

    public readonly void Run(int from, int end, int thread)
    {
        for (var row = from; row < end; row++)
        {
            Arrange(X + (row * XStride), Output + ((long)row * Columns), Columns);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Arrange(float* x, float* output, int columns)
    {
        var k = 0;
        for (; k + (2 * TLanes.Width) <= columns; k += 2 * TLanes.Width)
        {
            TLanes.Deinterleave(x + k, output + k, output + k + TLanes.Width);
        }

        for (; k < columns; k++)
        {
            output[k] = x[k];
        }
    }
}
