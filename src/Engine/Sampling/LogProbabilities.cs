using KvPrefetch.Engine.Numerics;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Engine.Sampling;

/// <summary>Log-probabilities of a row of logits as the model gave it. The row is copied, because what follows writes to it. Not for concurrent use.</summary>
internal sealed class LogProbabilities(int vocabularySize)
{
    private float[] _row = [];

    /// <summary>Keeps a row.</summary>
    public void Keep(ReadOnlySpan<float> logits)
    {
        _row = _row.Length == 0 ? new float[vocabularySize] : _row;
        logits.CopyTo(_row);
    }

    /// <summary>Of the kept row: the chosen token's, and the <paramref name="count"/> highest.</summary>
    /// <param name="chosen">A token.</param>
    /// <param name="count">0 to <see cref="SamplingOptions.MaxLogprobs"/>.</param>
    /// <param name="weights">Scratch of the vocabulary's size; overwritten.</param>
    /// <param name="draw">Sums them.</param>
    public TokenLogprobs Of(int chosen, int count, float[] weights, Draw draw)
    {
        var max = Logits.Max(_row);
        SoftWeights.Exponentials(_row, max, SoftWeights.Scale(1), weights);
        var logSum = max + Math.Log(draw.Sum(weights));
        Span<int> best = stackalloc int[Math.Min(count, _row.Length)];
        Highest(best);
        var top = new TokenLogprob[best.Length];
        for (var i = 0; i < top.Length; i++)
        {
            top[i] = At(best[i], logSum);
        }

        return new TokenLogprobs(At(chosen, logSum), top);
    }

    private TokenLogprob At(int token, double logSum) => new(token, (float)Math.Min(0, _row[token] - logSum));

    /// <summary>The ids of the highest logits, highest first. One pass: most tokens are below the lowest that is kept.</summary>
    private void Highest(Span<int> best)
    {
        var kept = 0;
        for (var id = 0; id < _row.Length && best.Length > 0; id++)
        {
            if (kept == best.Length && !(_row[id] > _row[best[^1]]))
            {
                continue;
            }

            var place = kept < best.Length ? kept++ : kept - 1;
            for (; place > 0 && _row[id] > _row[best[place - 1]]; place--)
            {
                best[place] = best[place - 1];
            }

            best[place] = id;
        }
    }
}
