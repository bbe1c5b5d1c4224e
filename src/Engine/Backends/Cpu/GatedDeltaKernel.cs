using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Gated delta rule. An item is a value head of one sequence; columns of its state are independent, so vectors lie along them and sums run down the rows.</summary>
internal unsafe struct GatedDeltaKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    public const int MaxKeyDim = 1024;

    public RecurrentStep Step;

    /// <summary><c>[tokens, q | k | v]</c></summary>
    public float* Qkv;
    public long QkvStride;
    public float* Betas;
    public long BetasStride;
    public float* Decays;
    public long DecaysStride;

    /// <summary>1, or one for each row of the state.</summary>
    public int DecayPerHead;
    public float* LogDecay;
    public float* DecayBias;
    public float* Output;
    public long OutputStride;
    public DeltaShape Shape;

    public readonly void Run(int from, int end, int thread)
    {
        var scratch = stackalloc float[3 * MaxKeyDim];
        for (var item = from; item < end; item++)
        {
            Walk(item / Shape.ValueHeads, item % Shape.ValueHeads, scratch);
        }
    }

    private readonly void Walk(int sequence, int head, float* scratch)
    {
        int keyDim = Shape.KeyDim, keyHead = head / (Shape.ValueHeads / Shape.KeyHeads) * keyDim;
        float* q = scratch, k = q + keyDim, decays = k + keyDim;
        var state = Step.State(sequence) + ((long)head * keyDim * Shape.ValueDim);
        if (Step.Begins(sequence))
        {
            new Span<float>(state, keyDim * Shape.ValueDim).Clear();
        }

        var rate = -Math.Exp(LogDecay[head]);
        for (var t = Step.FirstRow(sequence); t < Step.EndRow(sequence); t++)
        {
            var row = Qkv + (t * QkvStride);
            UnitLength(row + keyHead, q, keyDim, 1 / Math.Sqrt(keyDim));
            UnitLength(row + Shape.KeyColumns + keyHead, k, keyDim, 1);
            for (var i = 0; i < keyDim; i++)
            {
                if (i > 0 && DecayPerHead == 1)
                {
                    decays[i] = decays[0];
                    continue;
                }

                var column = (head * DecayPerHead) + i;
                decays[i] = (float)Math.Exp(rate * Scalars.SoftPlus(Decays[(t * DecaysStride) + column] + (double)DecayBias[column]));
            }

            var beta = (float)(Shape.BetaScale * Scalars.Sigmoid(Betas[(t * BetasStride) + head]));
            var v = (long)head * Shape.ValueDim;
            Token(state, q, k, row + (2 * Shape.KeyColumns) + v, decays, beta, Output + (t * OutputStride) + v);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Token(float* state, float* q, float* k, float* v, float* decays, float beta, float* output)
    {
        int keyDim = Shape.KeyDim, valueDim = Shape.ValueDim, j = 0;
        var betas = TLanes.Broadcast(beta);
        for (; j + TLanes.Width <= valueDim; j += TLanes.Width)
        {
            V known = TLanes.Zero, sum = TLanes.Zero;
            var s = state + j;
            for (var i = 0; i < keyDim; i++, s += valueDim)
            {
                var kept = TLanes.Multiply(TLanes.Load(s), TLanes.Broadcast(decays[i]));
                TLanes.Store(kept, s);
                known = TLanes.MultiplyAdd(kept, TLanes.Broadcast(k[i]), known);
            }

            var delta = TLanes.Multiply(TLanes.Subtract(TLanes.Load(v + j), known), betas);
            s = state + j;
            for (var i = 0; i < keyDim; i++, s += valueDim)
            {
                var updated = TLanes.MultiplyAdd(TLanes.Broadcast(k[i]), delta, TLanes.Load(s));
                TLanes.Store(updated, s);
                sum = TLanes.MultiplyAdd(updated, TLanes.Broadcast(q[i]), sum);
            }

            TLanes.Store(sum, output + j);
        }

        for (; j < valueDim; j++)
        {
            float known = 0, sum = 0;
            for (var i = 0; i < keyDim; i++)
            {
                state[(i * valueDim) + j] *= decays[i];
                known += state[(i * valueDim) + j] * k[i];
            }

            var delta = (v[j] - known) * beta;
            for (var i = 0; i < keyDim; i++)
            {
                state[(i * valueDim) + j] += k[i] * delta;
                sum += state[(i * valueDim) + j] * q[i];
            }

            output[j] = sum;
        }
    }

    private static void UnitLength(float* x, float* result, int count, double scale)
    {
        var sum = 0.0;
        for (var i = 0; i < count; i++)
        {
            sum += (double)x[i] * x[i];
        }

        scale /= Math.Sqrt(sum + 1e-6);
        for (var i = 0; i < count; i++)
        {
            result[i] = (float)(x[i] * scale);
        }
    }
}
