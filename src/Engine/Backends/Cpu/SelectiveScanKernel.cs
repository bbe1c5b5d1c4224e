using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Selective state space. An item is a head of one sequence; rows of its state are updated and read in one pass.</summary>
internal unsafe struct SelectiveScanKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    public RecurrentStep Step;

    /// <summary><c>[tokens, x | B | C]</c></summary>
    public float* Xbc;
    public long XbcStride;
    public float* Steps;
    public long StepsStride;
    public float* LogDecay;
    public float* StepBias;
    public float* Skip;
    public float* Output;
    public long OutputStride;
    public ScanShape Shape;

    public readonly void Run(int from, int end, int thread)
    {
        for (var item = from; item < end; item++)
        {
            Walk(item / Shape.Heads, item % Shape.Heads);
        }
    }

    private readonly void Walk(int sequence, int head)
    {
        int headDim = Shape.HeadDim, stateSize = Shape.StateSize, group = head / (Shape.Heads / Shape.Groups) * stateSize;
        var state = Step.State(sequence) + ((long)head * headDim * stateSize);
        if (Step.Begins(sequence))
        {
            new Span<float>(state, headDim * stateSize).Clear();
        }

        var rate = -Math.Exp(LogDecay[head]);
        for (var t = Step.FirstRow(sequence); t < Step.EndRow(sequence); t++)
        {
            // A few numbers a head: in double, so that small steps keep their digits.
            var d = Math.Clamp(Scalars.SoftPlus(Steps[(t * StepsStride) + head] + (double)StepBias[head]), Shape.MinStep, Shape.MaxStep);
            float* row = Xbc + (t * XbcStride), b = row + Shape.Columns + group, c = b + Shape.GroupColumns;
            Token(state, row + ((long)head * headDim), b, c, (float)Math.Exp(rate * d), (float)d, Skip[head], Output + (t * OutputStride) + ((long)head * headDim));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Token(float* state, float* x, float* b, float* c, float decay, float step, float skip, float* output)
    {
        int stateSize = Shape.StateSize, i = 0;
        for (; i + 4 <= Shape.HeadDim; i += 4, state += 4 * stateSize)
        {
            FourRows(state, x + i, b, c, decay, step, skip, output + i);
        }

        var keep = TLanes.Broadcast(decay);
        for (; i < Shape.HeadDim; i++, state += stateSize)
        {
            var input = step * x[i];
            V inputs = TLanes.Broadcast(input), sums = TLanes.Zero;
            var n = 0;
            for (; n + TLanes.Width <= stateSize; n += TLanes.Width)
            {
                var s = TLanes.MultiplyAdd(inputs, TLanes.Load(b + n), TLanes.Multiply(TLanes.Load(state + n), keep));
                TLanes.Store(s, state + n);
                sums = TLanes.MultiplyAdd(s, TLanes.Load(c + n), sums);
            }

            output[i] = Rest(state, input, b, c, decay, n, TLanes.Sum(sums)) + (skip * x[i]);
        }
    }

    /// <summary>The same for four rows side by side, which share B and C; a sum waits for no other then.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void FourRows(float* state, float* x, float* b, float* c, float decay, float step, float skip, float* output)
    {
        var stateSize = Shape.StateSize;
        float* t0 = state, t1 = t0 + stateSize, t2 = t1 + stateSize, t3 = t2 + stateSize;
        float x0 = step * x[0], x1 = step * x[1], x2 = step * x[2], x3 = step * x[3];
        V keep = TLanes.Broadcast(decay), i0 = TLanes.Broadcast(x0), i1 = TLanes.Broadcast(x1), i2 = TLanes.Broadcast(x2), i3 = TLanes.Broadcast(x3);
        V s0 = TLanes.Zero, s1 = s0, s2 = s0, s3 = s0;
        var n = 0;
        for (; n + TLanes.Width <= stateSize; n += TLanes.Width)
        {
            V inward = TLanes.Load(b + n), outward = TLanes.Load(c + n);
            var s = TLanes.MultiplyAdd(i0, inward, TLanes.Multiply(TLanes.Load(t0 + n), keep));
            TLanes.Store(s, t0 + n);
            s0 = TLanes.MultiplyAdd(s, outward, s0);
            s = TLanes.MultiplyAdd(i1, inward, TLanes.Multiply(TLanes.Load(t1 + n), keep));
            TLanes.Store(s, t1 + n);
            s1 = TLanes.MultiplyAdd(s, outward, s1);
            s = TLanes.MultiplyAdd(i2, inward, TLanes.Multiply(TLanes.Load(t2 + n), keep));
            TLanes.Store(s, t2 + n);
            s2 = TLanes.MultiplyAdd(s, outward, s2);
            s = TLanes.MultiplyAdd(i3, inward, TLanes.Multiply(TLanes.Load(t3 + n), keep));
            TLanes.Store(s, t3 + n);
            s3 = TLanes.MultiplyAdd(s, outward, s3);
        }

        var sums = TLanes.Sum4(s0, s1, s2, s3);
        output[0] = Rest(t0, x0, b, c, decay, n, sums[0]) + (skip * x[0]);
        output[1] = Rest(t1, x1, b, c, decay, n, sums[1]) + (skip * x[1]);
        output[2] = Rest(t2, x2, b, c, decay, n, sums[2]) + (skip * x[2]);
        output[3] = Rest(t3, x3, b, c, decay, n, sums[3]) + (skip * x[3]);
    }

    /// <summary>Elements of a row that fill no vector.</summary>
    private readonly float Rest(float* state, float input, float* b, float* c, float decay, int n, float sum)
    {
        for (; n < Shape.StateSize; n++)
        {
            state[n] = (state[n] * decay) + (input * b[n]);
            sum += state[n] * c[n];
        }

        return sum;
    }
}

/// <summary>Functions of one number.</summary>
internal static class Scalars
{
    public static double SoftPlus(double x) => x > 30 ? x : Math.Log(1 + Math.Exp(x));

    public static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
