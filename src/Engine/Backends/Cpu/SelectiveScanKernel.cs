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
        var stateSize = Shape.StateSize;
        var keep = TLanes.Broadcast(decay);
        for (var i = 0; i < Shape.HeadDim; i++, state += stateSize)
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

            var sum = TLanes.Sum(sums);
            for (; n < stateSize; n++)
            {
                state[n] = (state[n] * decay) + (input * b[n]);
                sum += state[n] * c[n];
            }

            output[i] = sum + (skip * x[i]);
        }
    }
}

/// <summary>Functions of one number.</summary>
internal static class Scalars
{
    public static double SoftPlus(double x) => x > 30 ? x : Math.Log(1 + Math.Exp(x));

    public static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
