using KvPrefetch.Engine.Numerics;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Engine.Sampling;

/// <summary>The draw of <see cref="Sampler"/> over the likeliest tokens alone. Tokens that are not among them count as they do there: with a weight of zero once they are known to be filtered out, and in the sums of runs before.
/// Whatever it cannot know to the bit it leaves.</summary>
internal sealed class CandidateDraw(int vocabularySize)
{
    /// <summary>What rounding can make of an exponential, and more.</summary>
    private const float Margin = 1.0001f;

    private readonly Selection _selection = new(LogitSummaryCandidates);
    private readonly float[] _weights = new float[LogitSummaryCandidates];
    private readonly float[] _run = new float[SoftWeights.Run];
    private readonly double[] _lanes = new double[16];

    private const int LogitSummaryCandidates = Backends.LogitSummary.Candidates;

    /// <summary>The token that <see cref="Sampler.Pick"/> gives, or -1.</summary>
    /// <param name="sequence">Without penalties and bias; its constraint is in the candidates.</param>
    /// <param name="ids">Ascending.</param>
    /// <param name="logits">Of these ids; all other logits come after them in the order of likelihood.</param>
    /// <param name="max">The largest logit.</param>
    /// <param name="sums">Sums of all tokens' weights, run by run.</param>
    /// <param name="run">Where nothing is filtered: the run that has the token, else -1.</param>
    /// <param name="rest">What the running sum has to exceed there.</param>
    public int Pick(Sequence sequence, ReadOnlySpan<int> ids, Span<float> logits, float max, ReadOnlySpan<double> sums, out int run, out double rest)
    {
        (run, rest) = (-1, 0);
        var options = sequence.Sampling;
        var weights = _weights.AsSpan(0, ids.Length);
        SoftWeights.Exponentials(logits, max, SoftWeights.Scale(options.Temperature), weights);
        var lowest = float.PositiveInfinity;
        foreach (var logit in logits)
        {
            lowest = logit < lowest ? logit : lowest;
        }

        // Closed: no token beyond the candidates has a weight any more.
        var closed = ids.Length < LogitSummaryCandidates || weights[logits.IndexOf(lowest)] == 0;
        if (options.TopK > 0 && options.TopK < vocabularySize)
        {
            var last = _selection.FindByCount(logits, weights, max, options.Temperature, options.TopK);
            if (last < 0 ? !closed : !closed && logits[last] <= lowest)
            {
                return -1;
            }

            closed = true;
            if (last >= 0)
            {
                Selection.Keep(logits, weights, logits[last], int.MaxValue);
            }
        }

        if (options.TopP < 1)
        {
            var target = options.TopP * (closed ? Sum(ids, weights) : Total(sums));
            var last = _selection.FindByWeight(logits, weights, max, options.Temperature, target, out var reached);
            if (!closed && !reached)
            {
                return -1;
            }

            closed = true;
            Selection.Keep(logits, weights, logits[last], last);
        }

        if (options.MinP > 0)
        {
            if (!closed && weights[logits.IndexOf(lowest)] * Margin >= options.MinP)
            {
                return -1;
            }

            closed = true;
            Selection.Keep(weights, weights, options.MinP, int.MaxValue);
        }

        var uniform = RandomStream.Uniform(options.Seed, sequence.GeneratedCount);
        if (closed)
        {
            return Draw(ids, weights, uniform);
        }

        rest = uniform * Total(sums);
        for (run = 0; run < sums.Length - 1 && rest >= sums[run]; run++)
        {
            rest -= sums[run];
        }

        return -1;
    }

    /// <summary>The first token of a run whose running sum exceeds <paramref name="rest"/>, or -1.</summary>
    public int PickInRun(ReadOnlySpan<float> logits, float max, float scale, double rest)
    {
        SoftWeights.Exponentials(logits, max, scale, _run);
        for (var i = 0; i < logits.Length; i++)
        {
            rest -= _run[i];
            if (_run[i] > 0 && rest < 0)
            {
                return i;
            }
        }

        return -1;
    }

    private static double Total(ReadOnlySpan<double> sums)
    {
        var total = 0.0;
        foreach (var sum in sums)
        {
            total += sum;
        }

        return total;
    }

    private double Sum(ReadOnlySpan<int> ids, ReadOnlySpan<float> weights)
    {
        var total = 0.0;
        for (var i = 0; i < ids.Length;)
        {
            total += SumOfRun(ids, weights, ref i);
        }

        return total;
    }

    /// <summary>The sum of the run that candidate <paramref name="i"/> is in, as <see cref="SoftWeights.Sum"/> has it: weights of zero do not change a sum. Moves <paramref name="i"/> behind the run.</summary>
    private double SumOfRun(ReadOnlySpan<int> ids, ReadOnlySpan<float> weights, ref int i)
    {
        var run = ids[i] / SoftWeights.Run;
        var length = Math.Min(SoftWeights.Run, vocabularySize - (run * SoftWeights.Run));
        var inLanes = length - (length % 16);
        Array.Clear(_lanes);
        for (; i < ids.Length && ids[i] / SoftWeights.Run == run && ids[i] % SoftWeights.Run < inLanes; i++)
        {
            _lanes[ids[i] % 16] += weights[i];
        }

        var sum = 0.0;
        for (var lane = 0; lane < 8; lane++)
        {
            sum += _lanes[lane] + _lanes[lane + 8];
        }

        for (; i < ids.Length && ids[i] / SoftWeights.Run == run; i++)
        {
            sum += weights[i];
        }

        return sum;
    }

    /// <summary>As <see cref="Sampling.Draw.Pick"/>: runs without a candidate have a sum of zero and are passed.</summary>
    private int Draw(ReadOnlySpan<int> ids, ReadOnlySpan<float> weights, double uniform)
    {
        var rest = uniform * Sum(ids, weights);
        var lastRun = (vocabularySize - 1) / SoftWeights.Run;
        var first = 0;
        while (first < ids.Length && ids[first] / SoftWeights.Run < lastRun)
        {
            var next = first;
            var sum = SumOfRun(ids, weights, ref next);
            if (rest < sum)
            {
                break;
            }

            rest -= sum;
            first = next;
        }

        var last = -1;
        for (var i = first; i < ids.Length; i++)
        {
            if (weights[i] > 0)
            {
                last = ids[i];
                rest -= weights[i];
                if (rest < 0)
                {
                    return last;
                }
            }
        }

        if (last >= 0)
        {
            return last;
        }

        var any = weights.LastIndexOfAnyExcept(0f);
        return any < 0 ? -1 : ids[any];
    }
}
