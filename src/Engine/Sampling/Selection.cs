using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace KvPrefetch.Engine.Sampling;

/// <summary>
/// Finds the token at which a running count or a running weight, from the likeliest token down, reaches a target, without sorting: a radix selection over keys
/// that order tokens by logit and, among equals, by lowest id. Linear in the vocabulary whatever the distribution; usually only the few tokens near the
/// maximum are looked at.
/// </summary>
internal sealed class Selection(int vocabularySize)
{
    private const int DigitBits = 11;
    private const int DigitMask = (1 << DigitBits) - 1;

    /// <summary>Tokens below e^-11 of the likeliest are first left aside: together they rarely matter.</summary>
    private const float NearExponent = 11f;

    private readonly ulong[] _keys = new ulong[vocabularySize];
    private readonly double[] _sums = new double[DigitMask + 1];
    private int _count;
    private double _weight;

    /// <summary>The k-th likeliest token of those that have a weight, or -1 if there are fewer.</summary>
    public int FindByCount(ReadOnlySpan<float> logits, ReadOnlySpan<float> weights, float max, float temperature, int k)
    {
        Gather(logits, weights, max - (NearExponent * temperature));
        if (_count < k)
        {
            Gather(logits, weights, float.NegativeInfinity);
        }

        return _count < k ? -1 : Find([], k, out _);
    }

    /// <summary>The token at which the weights, from the likeliest down, first reach <paramref name="target"/>; where they do not (<paramref name="reached"/> is false), the last.</summary>
    public int FindByWeight(ReadOnlySpan<float> logits, ReadOnlySpan<float> weights, float max, float temperature, double target, out bool reached)
    {
        Gather(logits, weights, max - (NearExponent * temperature));
        if (_weight < target)
        {
            Gather(logits, weights, float.NegativeInfinity);
        }

        return Find(weights, target, out reached);
    }

    /// <summary>Zeroes the weights of all tokens whose logit is below the limit; of those that equal it, of the tokens after <paramref name="lastEqual"/>.</summary>
    public static void Keep(ReadOnlySpan<float> logits, Span<float> weights, float limit, int lastEqual)
    {
        var split = (int)Math.Min(logits.Length, lastEqual + 1L);
        KeepFrom(logits[..split], weights[..split], limit);

        // From the next float up is the same as above the limit.
        KeepFrom(logits[split..], weights[split..], MathF.BitIncrement(limit));
    }

    private static void KeepFrom(ReadOnlySpan<float> logits, Span<float> weights, float limit)
    {
        weights = weights[..logits.Length];
        ref var from = ref MemoryMarshal.GetReference(logits);
        ref var to = ref MemoryMarshal.GetReference(weights);
        var lowest = Vector512.Create(limit);
        var i = 0;
        for (; i <= logits.Length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            var kept = Vector512.GreaterThanOrEqual(Vector512.LoadUnsafe(ref from, (nuint)i), lowest);
            (Vector512.LoadUnsafe(ref to, (nuint)i) & kept).StoreUnsafe(ref to, (nuint)i);
        }

        for (; i < logits.Length; i++)
        {
            weights[i] = logits[i] >= limit ? weights[i] : 0;
        }
    }

    /// <summary>Keys of the tokens that have a weight and at least this logit, and the sum of their weights.</summary>
    private void Gather(ReadOnlySpan<float> logits, ReadOnlySpan<float> weights, float lowest)
    {
        weights = weights[..logits.Length];
        ref var logit = ref MemoryMarshal.GetReference(logits);
        ref var weight = ref MemoryMarshal.GetReference(weights);
        var limit = Vector512.Create(lowest);
        (_count, _weight) = (0, 0);
        var i = 0;
        for (; i <= logits.Length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            var near = Vector512.GreaterThanOrEqual(Vector512.LoadUnsafe(ref logit, (nuint)i), limit)
                & Vector512.GreaterThan(Vector512.LoadUnsafe(ref weight, (nuint)i), Vector512<float>.Zero);
            for (var hits = near.ExtractMostSignificantBits(); hits != 0; hits &= hits - 1)
            {
                AddKey(logits, weights, i + BitOperations.TrailingZeroCount(hits));
            }
        }

        for (; i < logits.Length; i++)
        {
            if (logits[i] >= lowest && weights[i] > 0)
            {
                AddKey(logits, weights, i);
            }
        }
    }

    private void AddKey(ReadOnlySpan<float> logits, ReadOnlySpan<float> weights, int token)
    {
        // Adding zero makes -0 and 0 equal. Flipping the sign bit of positive and all bits of negative floats orders them as unsigned integers.
        var bits = BitConverter.SingleToInt32Bits(logits[token] + 0f);
        var ordered = (uint)(bits ^ ((bits >> 31) | int.MinValue));
        _keys[_count++] = ((ulong)ordered << 32) | ~(uint)token;
        _weight += weights[token];
    }

    private int Find(ReadOnlySpan<float> weights, double target, out bool everReached)
    {
        everReached = true;
        var keys = _keys.AsSpan(0, _count);
        for (var shift = 64 - DigitBits; keys.Length > 1; shift = Math.Max(0, shift - DigitBits))
        {
            _sums.AsSpan().Clear();
            foreach (var key in keys)
            {
                _sums[(int)(key >> shift) & DigitMask] += weights.IsEmpty ? 1 : weights[TokenOf(key)];
            }

            var (chosen, reached) = (-1, false);
            for (var digit = DigitMask; digit >= 0 && !reached; digit--)
            {
                if (_sums[digit] > 0)
                {
                    chosen = digit;
                    reached = _sums[digit] >= target;
                    target -= reached ? 0 : _sums[digit];
                }
            }

            // Where rounding leaves the target above the whole, the last token is meant, here and further down.
            target = reached ? target : double.PositiveInfinity;
            everReached &= reached;
            var kept = 0;
            foreach (var key in keys)
            {
                if (((int)(key >> shift) & DigitMask) == chosen)
                {
                    keys[kept++] = key;
                }
            }

            keys = keys[..kept];
        }

        return TokenOf(keys[0]);
    }

    private static int TokenOf(ulong key) => (int)~(uint)key;
}
