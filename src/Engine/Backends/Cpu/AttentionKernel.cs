using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Causal attention over a paged cache. Keys of a (page, head) slab lie transposed, <c>[headDim][pageSize]</c>, so that the lanes of a vector are tokens and a score needs
/// no sum across lanes; values lie <c>[pageSize][headDim]</c>. Where values are a part of the keys, keys lie like values and a score is summed across lanes: such heads are long.
/// <para>Arithmetic, the same for a decode and for a row of a prefill chunk: pages in order; in a page the scores of all its tokens up to the row itself (even and odd elements of the head
/// in two accumulators, added at the end), then one step of the online softmax. Work is dealt in blocks of rows of one sequence and one KV head, so that a slab read once serves
/// all query heads of its group and all rows of the block.</para></summary>
internal unsafe struct AttentionKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    /// <summary>Rows times query heads per KV head that share a slab at most.</summary>
    private const int StatesPerBlock = 48;

    /// <summary>Query vectors whose scores are computed at once.</summary>
    public const int Together = 4;

    public float* Q;
    public long QStride;
    public float* Output;
    public long OutputStride;
    public float* Keys;
    public float* Values;
    public int* Positions;
    public int* RowStarts;
    public int* BlockTableStarts;
    public int* BlockTables;
    public int Sequences;
    public int KvHeads;

    /// <summary>Query heads per KV head.</summary>
    public int Group;

    /// <summary>Items that a group's query heads are divided among.</summary>
    public int Parts;
    public int HeadDim;
    public int ValueDim;

    /// <summary>Values are the last elements of the keys.</summary>
    public bool ValuesInKeys;
    public int PageSize;
    public float Scale;

    /// <summary>Tokens that a token sees, itself included; int.MaxValue for all.</summary>
    public int Window;

    /// <summary>0: none.</summary>
    public float SoftCap;
    public ScaleGrowth Growth;

    /// <summary>One more score for each query head, without a value; null: none.</summary>
    public float* Sinks;

    /// <summary>Blocks of rows over all sequences; each is computed for every KV head.</summary>
    public int Blocks;

    /// <summary><see cref="ScratchFloats"/> for each thread.</summary>
    public float* Scratch;

    public static int BlockRows(int group) => Math.Max(1, StatesPerBlock / group);

    /// <summary>Per thread: accumulators, running maximum and running sum of every state, scores of four states.</summary>
    public static long ScratchFloats(int group, int valueDim, int pageSize) => checked(((long)BlockRows(group) * group * (valueDim + 2)) + (4L * pageSize) + 16);

    /// <summary>An item is a block for one KV head and a part of its query heads.</summary>
    public readonly void Run(int from, int end, int thread)
    {
        for (var item = from; item < end; item++)
        {
            // Last blocks first: they see the most context, and the short ones fill the gaps at the end.
            var parts = KvHeads * Parts;
            Item(Blocks - 1 - (item / parts), item % parts, Scratch + (thread * ScratchFloats(Group, ValueDim, PageSize)));
        }
    }

    private readonly void Item(int block, int part, float* scratch)
    {
        var blockRows = BlockRows(Group);
        for (var s = 0; s < Sequences; s++)
        {
            var rows = RowStarts[s + 1] - RowStarts[s];
            var blocks = (rows + blockRows - 1) / blockRows;
            if (block < blocks)
            {
                var first = RowStarts[s] + (block * blockRows);
                Block(BlockTables + BlockTableStarts[s], part, first, Math.Min(blockRows, RowStarts[s + 1] - first), scratch);
                return;
            }

            block -= blocks;
        }
    }

    /// <summary>State r * heads + h is head h of the part in row firstRow + r.</summary>
    private readonly void Block(int* table, int part, int firstRow, int rows, float* scratch)
    {
        int kvHead = part / Parts, heads = Group / Parts, firstHead = part * heads, states = rows * heads, valueDim = ValueDim;
        float* accumulators = scratch, maxima = accumulators + ((long)states * valueDim), sums = maxima + states, scores = sums + states;
        new Span<float>(accumulators, states * valueDim).Clear();
        for (var state = 0; state < states; state++)
        {
            // A sink is a first token whose value is zero.
            maxima[state] = Sinks is null ? float.NegativeInfinity : Sinks[firstHead + (state % heads)];
            sums[state] = Sinks is null ? 0 : 1;
        }

        int* from = stackalloc int[Together], to = stackalloc int[Together];
        var corrections = stackalloc float[Together];
        var firstPosition = Positions[firstRow];
        var pages = ((firstPosition + rows - 1) / PageSize) + 1;
        var q = Q + (firstRow * QStride) + ((long)firstHead * HeadDim);
        for (var page = Math.Max(0, firstPosition - Window + 1) / PageSize; page < pages; page++)
        {
            var slab = (((long)table[page] * KvHeads) + kvHead) * PageSize;
            var keys = Keys + (slab * HeadDim);
            var values = ValuesInKeys ? keys + HeadDim - valueDim : Values + (slab * valueDim);
            var pageStart = page * PageSize;
            for (var state = Math.Max(0, pageStart - firstPosition) * heads; state < states; state += Together)
            {
                var last = states - 1;
                int s1 = Math.Min(state + 1, last), s2 = Math.Min(state + 2, last), s3 = Math.Min(state + 3, last);
                float* q0 = Query(q, state, heads), q1 = Query(q, s1, heads), q2 = Query(q, s2, heads), q3 = Query(q, s3, heads);
                if (ValuesInKeys)
                {
                    ScoresOfRows(q0, q1, q2, q3, keys, Math.Min(PageSize, firstPosition + (s3 / heads) + 1 - pageStart), scores);
                }
                else
                {
                    Scores(q0, q1, q2, q3, keys, scores);
                }

                var count = Math.Min(Together, states - state);
                for (var i = 0; i < count; i++)
                {
                    var position = firstPosition + ((state + i) / heads);
                    from[i] = Math.Max(0, position - Window + 1 - pageStart);
                    to[i] = Math.Min(PageSize, position + 1 - pageStart);
                    corrections[i] = from[i] < to[i] ? Softmax(scores + (i * PageSize), from[i], to[i], Scale * Growth.At(position), ref maxima[state + i], ref sums[state + i]) : 1;
                }

                // States are in the order of rows: if the first and the last see the same tokens, all do.
                var accumulator = accumulators + ((long)state * valueDim);
                if (count == Together && from[0] == from[Together - 1] && to[0] == to[Together - 1])
                {
                    AccumulateFour(accumulator, corrections, scores, values, from[0], to[0]);
                    continue;
                }

                for (var i = 0; i < count; i++)
                {
                    Accumulate(0, accumulator + ((long)i * valueDim), corrections[i], scores + (i * PageSize), values, from[i], to[i]);
                }
            }
        }

        for (var state = 0; state < states; state++)
        {
            var output = Output + ((firstRow + (state / heads)) * OutputStride) + ((firstHead + (state % heads)) * (long)valueDim);
            Normalize(accumulators + ((long)state * valueDim), sums[state], output);
        }
    }

    private readonly float* Query(float* q, int state, int heads) => q + (state / heads * QStride) + (state % heads * HeadDim);

    /// <summary>The same for keys that lie <c>[pageSize][headDim]</c>, tokens 0..count alone.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void ScoresOfRows(float* q0, float* q1, float* q2, float* q3, float* keys, int count, float* scores)
    {
        int headDim = HeadDim, pageSize = PageSize;
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
            AddRest(q0, q1, q2, q3, k0, i, first4, scores + t);
            if (t + 1 < count)
            {
                AddRest(q0, q1, q2, q3, k1, i, second4, scores + t + 1);
            }
        }
    }

    /// <summary>Adds the elements that fill no vector and writes four scores, one every pageSize.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly void AddRest(float* q0, float* q1, float* q2, float* q3, float* key, int from, Vector128<float> sums, float* scores)
    {
        float s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
        for (var i = from; i < HeadDim; i++)
        {
            s0 = float.MultiplyAddEstimate(q0[i], key[i], s0);
            s1 = float.MultiplyAddEstimate(q1[i], key[i], s1);
            s2 = float.MultiplyAddEstimate(q2[i], key[i], s2);
            s3 = float.MultiplyAddEstimate(q3[i], key[i], s3);
        }

        scores[0] = s0;
        scores[PageSize] = s1;
        scores[2 * PageSize] = s2;
        scores[3 * PageSize] = s3;
    }

    /// <summary>Scores of four query vectors against all tokens of a page, unscaled: scores <c>[4][pageSize]</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Scores(float* q0, float* q1, float* q2, float* q3, float* keys, float* scores)
    {
        int headDim = HeadDim, pageSize = PageSize;
        for (var t = 0; t < pageSize; t += TLanes.Width)
        {
            V a0 = TLanes.Zero, a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
            var k = keys + t;
            var i = 0;
            for (; i + 1 < headDim; i += 2)
            {
                V even = TLanes.Load(k), odd = TLanes.Load(k + pageSize);
                a0 = TLanes.MultiplyAdd(TLanes.Broadcast(q0[i]), even, a0);
                a1 = TLanes.MultiplyAdd(TLanes.Broadcast(q1[i]), even, a1);
                a2 = TLanes.MultiplyAdd(TLanes.Broadcast(q2[i]), even, a2);
                a3 = TLanes.MultiplyAdd(TLanes.Broadcast(q3[i]), even, a3);
                b0 = TLanes.MultiplyAdd(TLanes.Broadcast(q0[i + 1]), odd, b0);
                b1 = TLanes.MultiplyAdd(TLanes.Broadcast(q1[i + 1]), odd, b1);
                b2 = TLanes.MultiplyAdd(TLanes.Broadcast(q2[i + 1]), odd, b2);
                b3 = TLanes.MultiplyAdd(TLanes.Broadcast(q3[i + 1]), odd, b3);
                k += 2 * pageSize;
            }

            if (i < headDim)
            {
                var even = TLanes.Load(k);
                a0 = TLanes.MultiplyAdd(TLanes.Broadcast(q0[i]), even, a0);
                a1 = TLanes.MultiplyAdd(TLanes.Broadcast(q1[i]), even, a1);
                a2 = TLanes.MultiplyAdd(TLanes.Broadcast(q2[i]), even, a2);
                a3 = TLanes.MultiplyAdd(TLanes.Broadcast(q3[i]), even, a3);
            }

            TLanes.Store(TLanes.Add(a0, b0), scores + t);
            TLanes.Store(TLanes.Add(a1, b1), scores + pageSize + t);
            TLanes.Store(TLanes.Add(a2, b2), scores + (2 * pageSize) + t);
            TLanes.Store(TLanes.Add(a3, b3), scores + (3 * pageSize) + t);
        }
    }

    /// <summary>One step of the online softmax: turns the scores from..to into weights relative to the new maximum (the rest into 0) and returns the factor on what was
    /// accumulated so far. The first page has maximum -infinity before it and so factor 0 on an empty sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly float Softmax(float* scores, int from, int to, float factor, ref float maximum, ref float sum)
    {
        V scale = TLanes.Broadcast(factor), cap = TLanes.Broadcast(SoftCap), masked = TLanes.Broadcast(float.NegativeInfinity), highest = masked;
        for (var t = 0; t < PageSize; t += TLanes.Width)
        {
            var x = TLanes.Multiply(TLanes.Load(scores + t), scale);
            if (SoftCap != 0)
            {
                x = TLanes.Multiply(Functions<TLanes, V>.Tanh(TLanes.Divide(x, cap)), cap);
            }

            x = TLanes.FirstLanes(masked, from - t, TLanes.FirstLanes(x, to - t, masked));
            TLanes.Store(x, scores + t);
            highest = TLanes.Max(highest, x);
        }

        var newMaximum = Math.Max(maximum, TLanes.MaxAcross(highest));
        var shift = TLanes.Broadcast(newMaximum);
        var total = TLanes.Zero;
        for (var t = 0; t < PageSize; t += TLanes.Width)
        {
            var p = TLanes.Exp(TLanes.Subtract(TLanes.Load(scores + t), shift));
            TLanes.Store(p, scores + t);
            total = TLanes.Add(total, p);
        }

        var correction = maximum == newMaximum ? 1f : MathF.Exp(maximum - newMaximum);
        sum = (sum * correction) + TLanes.Sum(total);
        maximum = newMaximum;
        return correction;
    }

    /// <summary>accumulator = accumulator * correction + sum over the tokens from..to, in order, of weight * value.</summary>
    /// <param name="i">First element; those before it are somebody else's.</param>
    /// <param name="accumulator"><c>[valueDim]</c></param>
    /// <param name="correction">Factor on what is there.</param>
    /// <param name="weights"><c>[pageSize]</c></param>
    /// <param name="values">The page's.</param>
    /// <param name="from">First token.</param>
    /// <param name="to">Behind the last token.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Accumulate(int i, float* accumulator, float correction, float* weights, float* values, int from, int to)
    {
        var factor = TLanes.Broadcast(correction);
        int valueDim = ValueDim, pitch = ValuesInKeys ? HeadDim : ValueDim;
        for (; i + (4 * TLanes.Width) <= valueDim; i += 4 * TLanes.Width)
        {
            var a = accumulator + i;
            V a0 = TLanes.Multiply(TLanes.Load(a), factor), a1 = TLanes.Multiply(TLanes.Load(a + TLanes.Width), factor);
            V a2 = TLanes.Multiply(TLanes.Load(a + (2 * TLanes.Width)), factor), a3 = TLanes.Multiply(TLanes.Load(a + (3 * TLanes.Width)), factor);
            var v = values + ((long)from * pitch) + i;
            for (var t = from; t < to; t++, v += pitch)
            {
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
            var a = TLanes.Multiply(TLanes.Load(accumulator + i), factor);
            for (var t = from; t < to; t++)
            {
                a = TLanes.MultiplyAdd(TLanes.Broadcast(weights[t]), TLanes.Load(values + (t * pitch) + i), a);
            }

            TLanes.Store(a, accumulator + i);
        }

        for (; i < valueDim; i++)
        {
            var a = accumulator[i] * correction;
            for (var t = from; t < to; t++)
            {
                a = float.MultiplyAddEstimate(weights[t], values[(t * pitch) + i], a);
            }

            accumulator[i] = a;
        }
    }

    /// <summary>The same, with the same bits, for four states that lie one after the other and see the same tokens: a value is read once for all.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void AccumulateFour(float* accumulators, float* corrections, float* weights, float* values, int from, int to)
    {
        int valueDim = ValueDim, pitch = ValuesInKeys ? HeadDim : ValueDim, pageSize = PageSize, i = 0;
        float* second = accumulators + valueDim, third = second + valueDim, fourth = third + valueDim;
        float* w1 = weights + pageSize, w2 = w1 + pageSize, w3 = w2 + pageSize;
        V f0 = TLanes.Broadcast(corrections[0]), f1 = TLanes.Broadcast(corrections[1]), f2 = TLanes.Broadcast(corrections[2]), f3 = TLanes.Broadcast(corrections[3]);
        for (; i + (2 * TLanes.Width) <= valueDim; i += 2 * TLanes.Width)
        {
            var j = i + TLanes.Width;
            V a0 = TLanes.Multiply(TLanes.Load(accumulators + i), f0), b0 = TLanes.Multiply(TLanes.Load(accumulators + j), f0);
            V a1 = TLanes.Multiply(TLanes.Load(second + i), f1), b1 = TLanes.Multiply(TLanes.Load(second + j), f1);
            V a2 = TLanes.Multiply(TLanes.Load(third + i), f2), b2 = TLanes.Multiply(TLanes.Load(third + j), f2);
            V a3 = TLanes.Multiply(TLanes.Load(fourth + i), f3), b3 = TLanes.Multiply(TLanes.Load(fourth + j), f3);
            var v = values + ((long)from * pitch) + i;
            for (var t = from; t < to; t++, v += pitch)
            {
                V x = TLanes.Load(v), y = TLanes.Load(v + TLanes.Width), weight = TLanes.Broadcast(weights[t]);
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

            TLanes.Store(a0, accumulators + i);
            TLanes.Store(b0, accumulators + j);
            TLanes.Store(a1, second + i);
            TLanes.Store(b1, second + j);
            TLanes.Store(a2, third + i);
            TLanes.Store(b2, third + j);
            TLanes.Store(a3, fourth + i);
            TLanes.Store(b3, fourth + j);
        }

        if (i < valueDim)
        {
            for (var state = 0; state < Together; state++)
            {
                Accumulate(i, accumulators + ((long)state * valueDim), corrections[state], weights + (state * pageSize), values, from, to);
            }
        }
    }

    private readonly void Normalize(float* accumulator, float sum, float* output)
    {
        var inverse = 1f / sum;
        var i = 0;
        for (var factor = TLanes.Broadcast(inverse); i + TLanes.Width <= ValueDim; i += TLanes.Width)
        {
            TLanes.Store(TLanes.Multiply(TLanes.Load(accumulator + i), factor), output + i);
        }

        for (; i < ValueDim; i++)
        {
            output[i] = accumulator[i] * inverse;
        }
    }
}
