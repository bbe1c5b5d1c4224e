using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Sampling;

/// <summary>Chooses a token in proportion to its weight. Sums are kept in double, block by block, so that the walk to the token touches one block.</summary>
internal sealed class Draw(int vocabularySize)
{
    private readonly double[] _sums = new double[(vocabularySize + SoftWeights.Run - 1) / SoftWeights.Run];

    /// <summary>The sum of the weights; remembers the blocks for <see cref="Pick"/>.</summary>
    public double Sum(ReadOnlySpan<float> weights)
    {
        var total = 0.0;
        for (var b = 0; b * SoftWeights.Run < weights.Length; b++)
        {
            _sums[b] = SoftWeights.Sum(weights.Slice(b * SoftWeights.Run, Math.Min(SoftWeights.Run, weights.Length - (b * SoftWeights.Run))));
            total += _sums[b];
        }

        return total;
    }

    /// <summary>The first token whose running sum exceeds the fraction <paramref name="uniform"/>, in [0, 1), of the whole. Tokens of weight zero are never chosen.</summary>
    public int Pick(ReadOnlySpan<float> weights, double total, double uniform)
    {
        var rest = uniform * total;
        var b = 0;
        var lastBlock = (weights.Length - 1) / SoftWeights.Run;
        while (b < lastBlock && rest >= _sums[b])
        {
            rest -= _sums[b++];
        }

        var last = -1;
        for (var i = b * SoftWeights.Run; i < weights.Length; i++)
        {
            if (weights[i] > 0)
            {
                last = i;
                rest -= weights[i];
                if (rest < 0)
                {
                    return i;
                }
            }
        }

        // Rounding can leave a rest of some 1e-16 at the very end: then it is the last token that has a weight.
        return last >= 0 ? last : weights.LastIndexOfAnyExcept(0f);
    }
}
