using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace KvPrefetch.Engine.Numerics;

/// <summary>Weights of tokens, and their sums. All of it works in lanes of 512 bits on every machine and never contracts multiply and add, so that a sum, and with
/// it a token, does not depend on the instruction set; logit_runs.cu does the same steps on a card.</summary>
internal static class SoftWeights
{
    /// <summary>Weights that are summed together.</summary>
    public const int Run = 1024;

    /// <summary>Weights below e^-87 count as zero: there the smallest normal float ends.</summary>
    private const float LowestExponent = -87f;

    /// <summary>What differences to the largest logit are multiplied by. The reciprocal of the smallest temperatures is infinite, and 0 * infinity is not a number.</summary>
    public static float Scale(float temperature) => Math.Min(1 / temperature, float.MaxValue);

    /// <summary>The sum of a run, in double: sixteen lanes, the halves of them added to each other, then the lanes in order, then what is left over.</summary>
    public static double Sum(ReadOnlySpan<float> weights)
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
