using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Chooses the experts of every row. All of it is scalar and of one row: the choice depends on nothing else.</summary>
internal unsafe struct RouteKernel : IParallelJob
{
    /// <summary><c>[rows, experts]</c></summary>
    public float* Logits;
    public long LogitsStride;

    /// <summary><c>[rows, chosen]</c></summary>
    public float* Weights;
    public long WeightsStride;

    /// <summary><c>[rows, chosen]</c></summary>
    public int* Ids;

    /// <summary>Or null.</summary>
    public float* Correction;

    /// <summary>Or null.</summary>
    public float* Factors;
    public int Experts;
    public int Chosen;
    public int Groups;
    public int ChosenGroups;
    public int GroupBest;
    public RouterFunction Function;
    public bool Normalised;
    public float Epsilon;
    public float Scale;

    /// <summary><see cref="ScratchFloats"/> for each thread.</summary>
    public float* Scratch;

    /// <summary>Scores, candidates, candidates that are left, groups, groups that are left.</summary>
    public static long ScratchFloats(int experts, int groups) => (3L * experts) + (2L * groups);

    public readonly void Run(int from, int end, int thread)
    {
        var scratch = Scratch + (thread * ScratchFloats(Experts, Groups));
        for (var row = from; row < end; row++)
        {
            Row(Logits + (row * LogitsStride), Ids + ((long)row * Chosen), Weights + (row * WeightsStride), scratch);
        }
    }

    private readonly void Row(float* logits, int* ids, float* weights, float* scratch)
    {
        float* scores = scratch, candidates = scores + Experts, left = candidates + Experts, groups = left + Experts;
        Score(logits, scores);
        for (var e = 0; e < Experts; e++)
        {
            candidates[e] = Correction is null ? scores[e] : scores[e] + Correction[e];
        }

        if (ChosenGroups < Groups)
        {
            KeepBestGroups(candidates, left, groups);
        }

        new Span<float>(left, Experts).Fill(1);
        var sum = 0f;
        for (var c = 0; c < Chosen; c++)
        {
            ids[c] = TakeBest(candidates, left, Experts);
            weights[c] = scores[ids[c]];
            sum += weights[c];
        }

        var divisor = Normalised ? sum + Epsilon : 1f;
        for (var c = 0; c < Chosen; c++)
        {
            weights[c] = weights[c] / divisor * (Factors is null ? Scale : Scale * Factors[ids[c]]);
        }
    }

    private readonly void Score(float* logits, float* scores)
    {
        if (Function == RouterFunction.Sigmoid)
        {
            for (var e = 0; e < Experts; e++)
            {
                scores[e] = 1f / (1f + MathF.Exp(-logits[e]));
            }

            return;
        }

        var highest = logits[0];
        for (var e = 1; e < Experts; e++)
        {
            highest = Math.Max(highest, logits[e]);
        }

        var sum = 0f;
        for (var e = 0; e < Experts; e++)
        {
            scores[e] = MathF.Exp(logits[e] - highest);
            sum += scores[e];
        }

        for (var e = 0; e < Experts; e++)
        {
            scores[e] /= sum;
        }
    }

    private readonly void KeepBestGroups(float* candidates, float* left, float* groups)
    {
        var size = Experts / Groups;
        new Span<float>(left, Experts).Fill(1);
        for (var g = 0; g < Groups; g++)
        {
            groups[g] = 0;
            for (var best = 0; best < GroupBest; best++)
            {
                groups[g] += candidates[(g * size) + TakeBest(candidates + (g * size), left + (g * size), size)];
            }
        }

        var groupsLeft = groups + Groups;
        new Span<float>(groupsLeft, Groups).Fill(1);
        for (var c = 0; c < ChosenGroups; c++)
        {
            TakeBest(groups, groupsLeft, Groups);
        }

        for (var e = 0; e < Experts; e++)
        {
            candidates[e] = groupsLeft[e / size] == 0 ? candidates[e] : float.NegativeInfinity;
        }
    }

    /// <summary>The first of the highest values that are left, and takes it away. Gives an index for values that are not numbers too.</summary>
    private static int TakeBest(float* values, float* left, int count)
    {
        var best = -1;
        for (var i = 0; i < count; i++)
        {
            if (left[i] != 0 && (best < 0 || values[i] > values[best]))
            {
                best = i;
            }
        }

        left[best] = 0;
        return best;
    }
}

/// <summary>A product whose rows and targets can be those of one expert.</summary>
internal unsafe interface IExpertProduct<TTarget> : IParallelJob
    where TTarget : unmanaged
{
    int TargetCount { get; }

    /// <summary>Goes from the first place to an expert's.</summary>
    /// <param name="place">The expert's first.</param>
    /// <param name="rows">How many it has.</param>
    /// <param name="targets">Its weights.</param>
    void Take(int place, int rows, TTarget* targets);
}

/// <summary>The products of all experts that have rows. An item is one output of one such expert, computed for all of the expert's rows, so that a weight is read from memory once.
/// Arithmetic is the product's.</summary>
internal unsafe struct ExpertKernel<TProduct, TTarget> : IParallelJob
    where TProduct : unmanaged, IExpertProduct<TTarget>
    where TTarget : unmanaged
{
    /// <summary>The product as it would be for the first place; rows and targets are each expert's.</summary>
    public TProduct Product;

    /// <summary>Outputs of an expert, over its targets side by side.</summary>
    public int Outputs;

    /// <summary><c>[experts][targets]</c></summary>
    public TTarget* Targets;

    /// <summary><c>[experts + 1]</c>: first place of each expert.</summary>
    public int* Starts;

    /// <summary>Experts that have rows.</summary>
    public int* Touched;

    public readonly void Run(int from, int end, int thread)
    {
        while (from < end)
        {
            var expert = Touched[from / Outputs];
            int first = from % Outputs, last = Math.Min(Outputs, first + end - from);
            var product = Product;
            product.Take(Starts[expert], Starts[expert + 1] - Starts[expert], Targets + ((long)expert * product.TargetCount));
            product.Run(first, last, thread);
            from += last - first;
        }
    }
}

/// <summary>output = sum over a row's addends of weight * addend, in order; added to what is there where <see cref="Gate"/> gives the weight.</summary>
internal unsafe struct CombineKernel<TLanes, V> : IParallelJob
    where TLanes : ILanes<V>
    where V : struct
{
    public float* X;
    public long XStride;

    /// <summary><c>[rows, chosen]</c>: rows of x; null: the row itself.</summary>
    public int* Places;
    public int Chosen;

    /// <summary><c>[rows, chosen]</c></summary>
    public float* Weights;
    public long WeightsStride;

    /// <summary>Weights go through a sigmoid and the output keeps what it holds.</summary>
    public bool Gate;
    public float* Output;
    public long OutputStride;
    public int Columns;

    public readonly void Run(int from, int end, int thread)
    {
        for (var row = from; row < end; row++)
        {
            var output = Output + (row * OutputStride);
            for (var c = 0; c < Chosen; c++)
            {
                var weight = Weights[(row * WeightsStride) + c];
                var place = Places is null ? row : Places[((long)row * Chosen) + c];
                Add(X + (place * XStride), Gate ? 1f / (1f + MathF.Exp(-weight)) : weight, output, Columns, fresh: c == 0 && !Gate);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Add(float* x, float weight, float* output, int columns, bool fresh)
    {
        var factor = TLanes.Broadcast(weight);
        var i = 0;
        for (; i + TLanes.Width <= columns; i += TLanes.Width)
        {
            TLanes.Store(TLanes.MultiplyAdd(factor, TLanes.Load(x + i), fresh ? TLanes.Zero : TLanes.Load(output + i)), output + i);
        }

        for (; i < columns; i++)
        {
            output[i] = float.MultiplyAddEstimate(weight, x[i], fresh ? 0 : output[i]);
        }
    }
}
