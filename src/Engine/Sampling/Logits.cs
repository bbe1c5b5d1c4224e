using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace KvPrefetch.Engine.Sampling;

/// <summary>Passes over the whole vocabulary. All of them work in lanes of 512 bits on every machine and never contract multiply and add, so that a sum, and with
/// it a token, does not depend on the instruction set.</summary>
internal static class Logits
{
    /// <summary>Weights below e^-87 count as zero: there the smallest normal float ends.</summary>
    private const float LowestExponent = -87f;

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

    /// <summary>weights[i] = exp((logits[i] - max) * scale), in (0, 1] or zero.</summary>
    public static void Exponentials(ReadOnlySpan<float> logits, float max, float scale, Span<float> weights)
    {
        weights = weights[..logits.Length];
        ref var from = ref MemoryMarshal.GetReference(logits);
        ref var to = ref MemoryMarshal.GetReference(weights);
        var shift = Vector512.Create(max);
        var factor = Vector512.Create(scale);
        var i = 0;
        for (; i <= logits.Length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            Exp((Vector512.LoadUnsafe(ref from, (nuint)i) - shift) * factor).StoreUnsafe(ref to, (nuint)i);
        }

        for (; i < logits.Length; i++)
        {
            weights[i] = Exp((Vector512.Create(logits[i]) - shift) * factor)[0];
        }
    }

    /// <summary>e^x for x &lt;= 0, to two units in the last place: x = n ln 2 + r, and a polynomial for e^r.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Exp(Vector512<float> x)
    {
        var tooLow = Vector512.LessThan(x, Vector512.Create(LowestExponent));
        x = Vector512.MaxNative(x, Vector512.Create(LowestExponent));

        // Adding 1.5 * 2^23 rounds to an integer, which then lies in the low bits.
        var magic = Vector512.Create(12582912f);
        var shifted = (x * Vector512.Create(1.44269504f)) + magic;
        var n = shifted - magic;
        var r = x - (n * Vector512.Create(0.693359375f)) - (n * Vector512.Create(-2.12194440e-4f));
        var p = (Vector512.Create(1f / 720f) * r) + Vector512.Create(1f / 120f);
        p = (p * r) + Vector512.Create(1f / 24f);
        p = (p * r) + Vector512.Create(1f / 6f);
        p = (p * r) + Vector512.Create(0.5f);
        p = (p * r * r) + r + Vector512<float>.One;

        // n goes into the exponent of the result by an addition.
        return Vector512.AndNot((p.AsInt32() + (shifted.AsInt32() << 23)).AsSingle(), tooLow);
    }
}
