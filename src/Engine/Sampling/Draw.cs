using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace KvPrefetch.Engine.Sampling;

/// <summary>Chooses a token in proportion to its weight. Sums are kept in double, block by block, so that the walk to the token touches one block.</summary>
internal sealed class Draw(int vocabularySize)
{
    private const int Block = 1024;

    private readonly double[] _sums = new double[(vocabularySize + Block - 1) / Block];

    /// <summary>The sum of the weights; remembers the blocks for <see cref="Pick"/>.</summary>
    public double Sum(ReadOnlySpan<float> weights)
    {
        var total = 0.0;
        for (var b = 0; b * Block < weights.Length; b++)
        {
            _sums[b] = SumBlock(weights.Slice(b * Block, Math.Min(Block, weights.Length - (b * Block))));
            total += _sums[b];
        }

        return total;
    }

    /// <summary>The first token whose running sum exceeds the fraction <paramref name="uniform"/>, in [0, 1), of the whole. Tokens of weight zero are never chosen.</summary>
    public int Pick(ReadOnlySpan<float> weights, double total, double uniform)
    {
        var rest = uniform * total;
        var b = 0;
        var lastBlock = (weights.Length - 1) / Block;
        while (b < lastBlock && rest >= _sums[b])
        {
            rest -= _sums[b++];
        }

        var last = -1;
        for (var i = b * Block; i < weights.Length; i++)
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

    private static double SumBlock(ReadOnlySpan<float> weights)
    {
        ref var first = ref MemoryMarshal.GetReference(weights);
        var low = Vector512<double>.Zero;
        var high = Vector512<double>.Zero;
        var i = 0;
        for (; i <= weights.Length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            var (a, b) = Vector512.Widen(Vector512.LoadUnsafe(ref first, (nuint)i));
            low += a;
            high += b;
        }

        var lanes = low + high;
        var sum = 0.0;
        for (var lane = 0; lane < Vector512<double>.Count; lane++)
        {
            sum += lanes[lane];
        }

        for (; i < weights.Length; i++)
        {
            sum += weights[i];
        }

        return sum;
    }
}
