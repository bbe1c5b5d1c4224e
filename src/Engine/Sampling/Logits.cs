using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace KvPrefetch.Engine.Sampling;

/// <summary>Passes over the whole vocabulary.</summary>
internal static class Logits
{
    /// <summary>The largest logit. Throws <see cref="NumericalFaultException"/> for NaN, +infinity, and where every token is forbidden.</summary>
    public static float Max(ReadOnlySpan<float> logits)
    {
        var best = float.NegativeInfinity;
        var isNumber = true;
        var i = 0;
        if (logits.Length >= Vector512<float>.Count)
        {
            ref var first = ref MemoryMarshal.GetReference(logits);
            var max = Vector512.Create(float.NegativeInfinity);
            var numbers = Vector512<float>.AllBitsSet;
            for (; i <= logits.Length - Vector512<float>.Count; i += Vector512<float>.Count)
            {
                var x = Vector512.LoadUnsafe(ref first, (nuint)i);
                numbers &= Vector512.Equals(x, x);
                max = Vector512.ConditionalSelect(Vector512.GreaterThan(x, max), x, max);
            }

            isNumber = numbers.AsInt32() == Vector512<int>.AllBitsSet;
            for (var lane = 0; lane < Vector512<float>.Count; lane++)
            {
                best = max[lane] > best ? max[lane] : best;
            }
        }

        for (; i < logits.Length; i++)
        {
            isNumber &= !float.IsNaN(logits[i]);
            best = logits[i] > best ? logits[i] : best;
        }

        if (!isNumber || float.IsPositiveInfinity(best))
        {
            throw new NumericalFaultException("NonFiniteLogits", "The model produced " + (isNumber ? "+infinity" : "NaN") + " among the logits of this request.");
        }

        if (float.IsNegativeInfinity(best))
        {
            throw new NumericalFaultException("NoValidToken", $"None of the {logits.Length} tokens is left to choose from: every logit is -infinity.");
        }

        return best;
    }

    /// <summary>Lowest index with this value; -1 if there is none.</summary>
    public static int IndexOf(ReadOnlySpan<float> logits, float value)
    {
        var i = 0;
        ref var first = ref MemoryMarshal.GetReference(logits);
        var sought = Vector512.Create(value);
        for (; i <= logits.Length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            var hits = Vector512.Equals(Vector512.LoadUnsafe(ref first, (nuint)i), sought).ExtractMostSignificantBits();
            if (hits != 0)
            {
                return i + System.Numerics.BitOperations.TrailingZeroCount(hits);
            }
        }

        for (; i < logits.Length; i++)
        {
            if (logits[i] == value)
            {
                return i;
            }
        }

        return -1;
    }
}
