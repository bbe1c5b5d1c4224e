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
        var scratch = stackalloc float[4 * MaxKeyDim];
        var x = new Vectors(scratch, scratch + MaxKeyDim, scratch + (2 * MaxKeyDim), scratch + (3 * MaxKeyDim));
        for (var item = from; item < end; item++)
        {
            Walk(item / Shape.ValueHeads, item % Shape.ValueHeads, x);
        }
    }

    private readonly void Walk(int sequence, int head, Vectors x)
    {
        int keyDim = Shape.KeyDim, valueDim = Shape.ValueDim;
        var state = Step.State(sequence) + ((long)head * keyDim * valueDim);
        if (Step.Begins(sequence))
        {
            new Span<float>(state, keyDim * valueDim).Clear();
        }

        for (var t = Step.FirstRow(sequence); t < Step.EndRow(sequence); t++)
        {
            var beta = Prepare(t, head, x);
            var v = Qkv + (t * QkvStride) + (2 * Shape.KeyColumns) + ((long)head * valueDim);
            Token(state, x, v, beta, Output + (t * OutputStride) + ((long)head * valueDim));
        }
    }

    /// <summary>Everything of a token but its values.</summary>
    /// <returns>How much of what is known it replaces.</returns>
    private readonly float Prepare(int t, int head, Vectors x)
    {
        int keyDim = Shape.KeyDim, keyHead = head / (Shape.ValueHeads / Shape.KeyHeads) * keyDim;
        var row = Qkv + (t * QkvStride);
        UnitLength(row + keyHead, x.Q, keyDim, 1 / Math.Sqrt(keyDim));
        UnitLength(row + Shape.KeyColumns + keyHead, x.K, keyDim, 1);
        var rate = -Math.Exp(LogDecay[head]);
        for (var i = 0; i < DecayPerHead; i++)
        {
            var column = (head * DecayPerHead) + i;
            x.Decays[i] = (float)Math.Exp(rate * Scalars.SoftPlus(Decays[(t * DecaysStride) + column] + (double)DecayBias[column]));
        }

        if (DecayPerHead == 1)
        {
            new Span<float>(x.Decays, keyDim).Fill(x.Decays[0]);
        }

        var r = 0;
        for (; r + TLanes.Width <= keyDim; r += TLanes.Width)
        {
            TLanes.Store(TLanes.Multiply(TLanes.Load(x.Decays + r), TLanes.Load(x.K + r)), x.Asked + r);
        }

        for (; r < keyDim; r++)
        {
            x.Asked[r] = x.Decays[r] * x.K[r];
        }

        return (float)(Shape.BetaScale * Scalars.Sigmoid(Betas[(t * BetasStride) + head]));
    }

    /// <summary>Columns of a vector or of four, with the same bits. What the state knows of k is read from it as it was, with the decay in what is asked; so it is written once.</summary>
    private readonly void Token(float* state, Vectors x, float* v, float beta, float* output)
    {
        int valueDim = Shape.ValueDim, j = 0;
        for (; j + (4 * TLanes.Width) <= valueDim; j += 4 * TLanes.Width)
        {
            FourVectors(state + j, x, v + j, beta, output + j);
        }

        for (; j + TLanes.Width <= valueDim; j += TLanes.Width)
        {
            OneVector(state + j, x, v + j, beta, output + j);
        }

        for (; j < valueDim; j++)
        {
            OneColumn(state + j, x, v[j], beta, output + j);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void FourVectors(float* state, Vectors x, float* v, float beta, float* output)
    {
        int keyDim = Shape.KeyDim, valueDim = Shape.ValueDim, width = TLanes.Width;
        V k0 = TLanes.Zero, k1 = k0, k2 = k0, k3 = k0;
        var s = state;
        for (var i = 0; i < keyDim; i++, s += valueDim)
        {
            var asked = TLanes.Broadcast(x.Asked[i]);
            k0 = TLanes.MultiplyAdd(TLanes.Load(s), asked, k0);
            k1 = TLanes.MultiplyAdd(TLanes.Load(s + width), asked, k1);
            k2 = TLanes.MultiplyAdd(TLanes.Load(s + (2 * width)), asked, k2);
            k3 = TLanes.MultiplyAdd(TLanes.Load(s + (3 * width)), asked, k3);
        }

        var share = TLanes.Broadcast(beta);
        V d0 = TLanes.Multiply(TLanes.Subtract(TLanes.Load(v), k0), share), d1 = TLanes.Multiply(TLanes.Subtract(TLanes.Load(v + width), k1), share);
        V d2 = TLanes.Multiply(TLanes.Subtract(TLanes.Load(v + (2 * width)), k2), share), d3 = TLanes.Multiply(TLanes.Subtract(TLanes.Load(v + (3 * width)), k3), share);
        V o0 = TLanes.Zero, o1 = o0, o2 = o0, o3 = o0;
        s = state;
        for (var i = 0; i < keyDim; i++, s += valueDim)
        {
            V decay = TLanes.Broadcast(x.Decays[i]), key = TLanes.Broadcast(x.K[i]), query = TLanes.Broadcast(x.Q[i]);
            var updated = TLanes.MultiplyAdd(key, d0, TLanes.Multiply(TLanes.Load(s), decay));
            TLanes.Store(updated, s);
            o0 = TLanes.MultiplyAdd(updated, query, o0);
            updated = TLanes.MultiplyAdd(key, d1, TLanes.Multiply(TLanes.Load(s + width), decay));
            TLanes.Store(updated, s + width);
            o1 = TLanes.MultiplyAdd(updated, query, o1);
            updated = TLanes.MultiplyAdd(key, d2, TLanes.Multiply(TLanes.Load(s + (2 * width)), decay));
            TLanes.Store(updated, s + (2 * width));
            o2 = TLanes.MultiplyAdd(updated, query, o2);
            updated = TLanes.MultiplyAdd(key, d3, TLanes.Multiply(TLanes.Load(s + (3 * width)), decay));
            TLanes.Store(updated, s + (3 * width));
            o3 = TLanes.MultiplyAdd(updated, query, o3);
        }

        TLanes.Store(o0, output);
        TLanes.Store(o1, output + width);
        TLanes.Store(o2, output + (2 * width));
        TLanes.Store(o3, output + (3 * width));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void OneVector(float* state, Vectors x, float* v, float beta, float* output)
    {
        int keyDim = Shape.KeyDim, valueDim = Shape.ValueDim;
        V known = TLanes.Zero, sum = TLanes.Zero;
        var s = state;
        for (var i = 0; i < keyDim; i++, s += valueDim)
        {
            known = TLanes.MultiplyAdd(TLanes.Load(s), TLanes.Broadcast(x.Asked[i]), known);
        }

        var delta = TLanes.Multiply(TLanes.Subtract(TLanes.Load(v), known), TLanes.Broadcast(beta));
        s = state;
        for (var i = 0; i < keyDim; i++, s += valueDim)
        {
            var updated = TLanes.MultiplyAdd(TLanes.Broadcast(x.K[i]), delta, TLanes.Multiply(TLanes.Load(s), TLanes.Broadcast(x.Decays[i])));
            TLanes.Store(updated, s);
            sum = TLanes.MultiplyAdd(updated, TLanes.Broadcast(x.Q[i]), sum);
        }

        TLanes.Store(sum, output);
    }

    private readonly void OneColumn(float* state, Vectors x, float v, float beta, float* output)
    {
        int keyDim = Shape.KeyDim, valueDim = Shape.ValueDim;
        float known = 0, sum = 0;
        for (var i = 0; i < keyDim; i++)
        {
            known += state[i * valueDim] * x.Asked[i];
        }

        var delta = (v - known) * beta;
        for (var i = 0; i < keyDim; i++)
        {
            state[i * valueDim] = (state[i * valueDim] * x.Decays[i]) + (x.K[i] * delta);
            sum += state[i * valueDim] * x.Q[i];
        }

        *output = sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UnitLength(float* x, float* result, int count, double scale)
    {
        V even = TLanes.Zero, odd = even;
        var i = 0;
        for (; i + (2 * TLanes.Width) <= count; i += 2 * TLanes.Width)
        {
            V a = TLanes.Load(x + i), b = TLanes.Load(x + i + TLanes.Width);
            even = TLanes.MultiplyAdd(a, a, even);
            odd = TLanes.MultiplyAdd(b, b, odd);
        }

        double sum = TLanes.Sum(TLanes.Add(even, odd));
        for (; i < count; i++)
        {
            sum += (double)x[i] * x[i];
        }

        var factor = (float)(scale / Math.Sqrt(sum + 1e-6));
        var factors = TLanes.Broadcast(factor);
        for (i = 0; i + TLanes.Width <= count; i += TLanes.Width)
        {
            TLanes.Store(TLanes.Multiply(TLanes.Load(x + i), factors), result + i);
        }

        for (; i < count; i++)
        {
            result[i] = x[i] * factor;
        }
    }

    /// <summary>A token's, for each row of the state: q and k of their lengths, decays, and k times decay.</summary>
    private readonly struct Vectors(float* q, float* k, float* decays, float* asked)
    {
        public readonly float* Q = q;
        public readonly float* K = k;
        public readonly float* Decays = decays;
        public readonly float* Asked = asked;
    }
}
