using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>The inner loops of attention. What a state gets does not depend on the states beside it.</summary>
internal static unsafe class AttentionArithmetic<TLanes, V>
    where TLanes : ILanes<V>
    where V : struct
{
    /// <summary>Query vectors that are computed at once.</summary>
    public const int Together = 4;

    /// <summary>Scores of four query vectors against two vectors of tokens, unscaled.</summary>
    /// <param name="q0">A query, <c>[headDim]</c>.</param>
    /// <param name="q1">The second.</param>
    /// <param name="q2">The third.</param>
    /// <param name="q3">The fourth.</param>
    /// <param name="a">Keys of the first tokens, a row of them for each element of the head.</param>
    /// <param name="b">Keys of the others.</param>
    /// <param name="headDim">Elements.</param>
    /// <param name="pitch">Floats from one element to the next.</param>
    /// <param name="nextA">What will be read in place of a next time: asked for now.</param>
    /// <param name="nextB">Likewise for b.</param>
    /// <param name="scores">Those of b stand behind those of a.</param>
    /// <param name="apart">Floats from one query's scores to the next one's.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Scores(float* q0, float* q1, float* q2, float* q3, float* a, float* b, int headDim, long pitch, float* nextA, float* nextB, float* scores, int apart)
    {
        V a0 = TLanes.Zero, a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
        for (long i = 0, at = 0; i < headDim; i++, at += pitch)
        {
            if (Sse.IsSupported && nextA != a)
            {
                Sse.Prefetch0(nextA + at);
                Sse.Prefetch0(nextB + at);
            }

            V ka = TLanes.Load(a + at), kb = TLanes.Load(b + at), q = TLanes.Broadcast(q0[i]);
            a0 = TLanes.MultiplyAdd(q, ka, a0);
            b0 = TLanes.MultiplyAdd(q, kb, b0);
            q = TLanes.Broadcast(q1[i]);
            a1 = TLanes.MultiplyAdd(q, ka, a1);
            b1 = TLanes.MultiplyAdd(q, kb, b1);
            q = TLanes.Broadcast(q2[i]);
            a2 = TLanes.MultiplyAdd(q, ka, a2);
            b2 = TLanes.MultiplyAdd(q, kb, b2);
            q = TLanes.Broadcast(q3[i]);
            a3 = TLanes.MultiplyAdd(q, ka, a3);
            b3 = TLanes.MultiplyAdd(q, kb, b3);
        }

        TLanes.Store(a0, scores);
        TLanes.Store(b0, scores + TLanes.Width);
        TLanes.Store(a1, scores + apart);
        TLanes.Store(b1, scores + apart + TLanes.Width);
        TLanes.Store(a2, scores + (2 * apart));
        TLanes.Store(b2, scores + (2 * apart) + TLanes.Width);
        TLanes.Store(a3, scores + (3 * apart));
        TLanes.Store(b3, scores + (3 * apart) + TLanes.Width);
    }

    /// <summary>The same for keys that lie <c>[token][headDim]</c>, each score summed across lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ScoresOfRows(float* q0, float* q1, float* q2, float* q3, float* keys, int headDim, int count, float* scores, int apart)
    {
        for (var t = 0; t < count; t += 2)
        {
            float* k0 = keys + ((long)t * headDim), k1 = t + 1 < count ? k0 + headDim : k0;
            V a0 = TLanes.Zero, a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
            var i = 0;
            for (; i + TLanes.Width <= headDim; i += TLanes.Width)
            {
                V first = TLanes.Load(k0 + i), second = TLanes.Load(k1 + i), q = TLanes.Load(q0 + i);
                a0 = TLanes.MultiplyAdd(q, first, a0);
                b0 = TLanes.MultiplyAdd(q, second, b0);
                q = TLanes.Load(q1 + i);
                a1 = TLanes.MultiplyAdd(q, first, a1);
                b1 = TLanes.MultiplyAdd(q, second, b1);
                q = TLanes.Load(q2 + i);
                a2 = TLanes.MultiplyAdd(q, first, a2);
                b2 = TLanes.MultiplyAdd(q, second, b2);
                q = TLanes.Load(q3 + i);
                a3 = TLanes.MultiplyAdd(q, first, a3);
                b3 = TLanes.MultiplyAdd(q, second, b3);
            }

            Vector128<float> first4 = TLanes.Sum4(a0, a1, a2, a3), second4 = TLanes.Sum4(b0, b1, b2, b3);
            AddRest(q0, q1, q2, q3, k0, i, headDim, first4, scores + t, apart);
            if (t + 1 < count)
            {
                AddRest(q0, q1, q2, q3, k1, i, headDim, second4, scores + t + 1, apart);
            }
        }
    }

    /// <summary>Turns the scores from..to into weights relative to their maximum.</summary>
    /// <param name="scores">Of one state; vectors that from and to touch are written.</param>
    /// <param name="from">First token.</param>
    /// <param name="to">Behind the last token.</param>
    /// <param name="factor">On every score.</param>
    /// <param name="softCap">0: none.</param>
    /// <param name="sum">Of the weights.</param>
    /// <returns>The maximum.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Softmax(float* scores, int from, int to, float factor, float softCap, out float sum)
    {
        V scale = TLanes.Broadcast(factor), cap = TLanes.Broadcast(softCap), masked = TLanes.Broadcast(float.NegativeInfinity), highest = masked;
        var first = from - (from % TLanes.Width);
        for (var t = first; t < to; t += TLanes.Width)
        {
            var x = TLanes.Multiply(TLanes.Load(scores + t), scale);
            if (softCap != 0)
            {
                x = TLanes.Multiply(Functions<TLanes, V>.Tanh(TLanes.Divide(x, cap)), cap);
            }

            if (t < from || t + TLanes.Width > to)
            {
                x = TLanes.FirstLanes(masked, from - t, TLanes.FirstLanes(x, to - t, masked));
            }

            TLanes.Store(x, scores + t);
            highest = TLanes.Max(highest, x);
        }

        var maximum = TLanes.MaxAcross(highest);
        V shift = TLanes.Broadcast(maximum), total = TLanes.Zero;
        for (var t = first; t < to; t += TLanes.Width)
        {
            var p = TLanes.Exp(TLanes.Subtract(TLanes.Load(scores + t), shift));
            TLanes.Store(p, scores + t);
            total = TLanes.Add(total, p);
        }

        sum = TLanes.Sum(total);
        return maximum;
    }

    /// <summary>accumulator += sum over the tokens from..to, in order, of weight * value.</summary>
    /// <param name="i">First element; those before it are somebody else's.</param>
    /// <param name="accumulator"><c>[valueDim]</c></param>
    /// <param name="weights">One for each token.</param>
    /// <param name="values">Sixteen tokens each.</param>
    /// <param name="ahead">What will be read in place of those next time.</param>
    /// <param name="pitch">Floats from one token to the next.</param>
    /// <param name="valueDim">Elements.</param>
    /// <param name="from">First token.</param>
    /// <param name="to">Behind the last token.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Accumulate(int i, float* accumulator, float* weights, float** values, float** ahead, int pitch, int valueDim, int from, int to)
    {
        if (from >= to)
        {
            return;
        }

        for (; i + (4 * TLanes.Width) <= valueDim; i += 4 * TLanes.Width)
        {
            var a = accumulator + i;
            V a0 = TLanes.Load(a), a1 = TLanes.Load(a + TLanes.Width), a2 = TLanes.Load(a + (2 * TLanes.Width)), a3 = TLanes.Load(a + (3 * TLanes.Width));
            for (var t = from; t < to; t++)
            {
                var at = ((long)(t & 15) * pitch) + i;
                var v = values[t >> 4] + at;
                Ask(ahead[t >> 4] + at, 4 * TLanes.Width);
                var weight = TLanes.Broadcast(weights[t]);
                a0 = TLanes.MultiplyAdd(weight, TLanes.Load(v), a0);
                a1 = TLanes.MultiplyAdd(weight, TLanes.Load(v + TLanes.Width), a1);
                a2 = TLanes.MultiplyAdd(weight, TLanes.Load(v + (2 * TLanes.Width)), a2);
                a3 = TLanes.MultiplyAdd(weight, TLanes.Load(v + (3 * TLanes.Width)), a3);
            }

            TLanes.Store(a0, a);
            TLanes.Store(a1, a + TLanes.Width);
            TLanes.Store(a2, a + (2 * TLanes.Width));
            TLanes.Store(a3, a + (3 * TLanes.Width));
        }

        for (; i + TLanes.Width <= valueDim; i += TLanes.Width)
        {
            var a = TLanes.Load(accumulator + i);
            for (var t = from; t < to; t++)
            {
                a = TLanes.MultiplyAdd(TLanes.Broadcast(weights[t]), TLanes.Load(values[t >> 4] + ((t & 15) * pitch) + i), a);
            }

            TLanes.Store(a, accumulator + i);
        }

        for (; i < valueDim; i++)
        {
            var a = accumulator[i];
            for (var t = from; t < to; t++)
            {
                a = float.MultiplyAddEstimate(weights[t], values[t >> 4][((t & 15) * pitch) + i], a);
            }

            accumulator[i] = a;
        }
    }

    /// <summary>The same, with the same bits, for four states that see the same tokens: a value is read once for all.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AccumulateFour(float** accumulators, float** weights, float** values, float** ahead, int pitch, int valueDim, int from, int to)
    {
        var i = 0;
        float* w0 = weights[0], w1 = weights[1], w2 = weights[2], w3 = weights[3];
        for (; i + (2 * TLanes.Width) <= valueDim; i += 2 * TLanes.Width)
        {
            var j = i + TLanes.Width;
            V a0 = TLanes.Load(accumulators[0] + i), b0 = TLanes.Load(accumulators[0] + j), a1 = TLanes.Load(accumulators[1] + i), b1 = TLanes.Load(accumulators[1] + j);
            V a2 = TLanes.Load(accumulators[2] + i), b2 = TLanes.Load(accumulators[2] + j), a3 = TLanes.Load(accumulators[3] + i), b3 = TLanes.Load(accumulators[3] + j);
            for (var t = from; t < to;)
            {
                float* v = values[t >> 4] + ((long)(t & 15) * pitch) + i, next = ahead[t >> 4] + ((long)(t & 15) * pitch) + i;
                for (var end = Math.Min(to, (t | 15) + 1); t < end; t++, v += pitch, next += pitch)
                {
                    if (v != next)
                    {
                        Ask(next, 2 * TLanes.Width);
                    }

                    V x = TLanes.Load(v), y = TLanes.Load(v + TLanes.Width), weight = TLanes.Broadcast(w0[t]);
                    a0 = TLanes.MultiplyAdd(weight, x, a0);
                    b0 = TLanes.MultiplyAdd(weight, y, b0);
                    weight = TLanes.Broadcast(w1[t]);
                    a1 = TLanes.MultiplyAdd(weight, x, a1);
                    b1 = TLanes.MultiplyAdd(weight, y, b1);
                    weight = TLanes.Broadcast(w2[t]);
                    a2 = TLanes.MultiplyAdd(weight, x, a2);
                    b2 = TLanes.MultiplyAdd(weight, y, b2);
                    weight = TLanes.Broadcast(w3[t]);
                    a3 = TLanes.MultiplyAdd(weight, x, a3);
                    b3 = TLanes.MultiplyAdd(weight, y, b3);
                }
            }

            TLanes.Store(a0, accumulators[0] + i);
            TLanes.Store(b0, accumulators[0] + j);
            TLanes.Store(a1, accumulators[1] + i);
            TLanes.Store(b1, accumulators[1] + j);
            TLanes.Store(a2, accumulators[2] + i);
            TLanes.Store(b2, accumulators[2] + j);
            TLanes.Store(a3, accumulators[3] + i);
            TLanes.Store(b3, accumulators[3] + j);
        }

        for (var state = 0; i < valueDim && state < Together; state++)
        {
            Accumulate(i, accumulators[state], weights[state], values, ahead, pitch, valueDim, from, to);
        }
    }

    /// <summary>running = running * keep + piece * add.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Combine(float* running, float keep, float* piece, float add, int count)
    {
        var i = 0;
        V kept = TLanes.Broadcast(keep), added = TLanes.Broadcast(add);
        for (; i + TLanes.Width <= count; i += TLanes.Width)
        {
            TLanes.Store(TLanes.MultiplyAdd(TLanes.Load(piece + i), added, TLanes.Multiply(TLanes.Load(running + i), kept)), running + i);
        }

        for (; i < count; i++)
        {
            running[i] = float.MultiplyAddEstimate(piece[i], add, running[i] * keep);
        }
    }

    /// <summary>output = x * factor.</summary>
    public static void Scale(float* x, float factor, float* output, int count)
    {
        var i = 0;
        for (var all = TLanes.Broadcast(factor); i + TLanes.Width <= count; i += TLanes.Width)
        {
            TLanes.Store(TLanes.Multiply(TLanes.Load(x + i), all), output + i);
        }

        for (; i < count; i++)
        {
            output[i] = x[i] * factor;
        }
    }

    /// <summary>Starts reading so many floats; harmless where they are at hand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Ask(float* address, int floats)
    {
        for (var i = 0; Sse.IsSupported && i < floats; i += 16)
        {
            Sse.Prefetch0(address + i);
        }
    }

    /// <summary>Adds the elements that fill no vector and writes four scores.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AddRest(float* q0, float* q1, float* q2, float* q3, float* key, int from, int headDim, Vector128<float> sums, float* scores, int apart)
    {
        float s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
        for (var i = from; i < headDim; i++)
        {
            s0 = float.MultiplyAddEstimate(q0[i], key[i], s0);
            s1 = float.MultiplyAddEstimate(q1[i], key[i], s1);
            s2 = float.MultiplyAddEstimate(q2[i], key[i], s2);
            s3 = float.MultiplyAddEstimate(q3[i], key[i], s3);
        }

        scores[0] = s0;
        scores[apart] = s1;
        scores[2 * apart] = s2;
        scores[3 * apart] = s3;
    }
}
