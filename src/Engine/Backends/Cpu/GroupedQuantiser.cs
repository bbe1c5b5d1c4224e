using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Quantises a matrix into panels of <see cref="GroupedLayout"/>. An item is a panel. Of several scales (and minima, fitted to the codes that they lead to) the one with the smallest sum of squared errors counts,
/// in the precision in which it is kept. The same choice on every machine.</summary>
internal unsafe struct GroupedQuantiser : IParallelJob
{
    private const int Group = GroupedLayout.Group, Vectors = Group / 8;

    /// <summary>Below this a group counts as equal to its minimum, or as zeros.</summary>
    private const float Smallest = 1e-36f;

    public byte* Source;
    public DType Type;
    public int Rows;
    public int Columns;
    public WeightFormat Format;
    public byte* Panels;

    public readonly void Run(int from, int end, int thread)
    {
        var panelBytes = GroupedLayout.PanelBytes(Format, Columns);
        int groups = GroupedLayout.Groups(Columns), codeBytes = GroupedLayout.CodeBytes(Format), factorBytes = GroupedLayout.FactorBytes(Format);
        var values = stackalloc float[Group];
        var codes = stackalloc int[Group];
        for (var p = from; p < end; p++)
        {
            var panel = Panels + (p * panelBytes);
            new Span<byte>(panel, checked((int)panelBytes)).Clear();
            for (var n = 0; n < GroupedLayout.Outputs && (p * GroupedLayout.Outputs) + n < Rows; n++)
            {
                var row = Source + ((((long)p * GroupedLayout.Outputs) + n) * Columns * Type.ByteSize());
                for (var g = 0; g < groups; g++)
                {
                    var count = Math.Min(Group, Columns - (g * Group));
                    HostFloats.Read(row + ((long)g * Group * Type.ByteSize()), Type, new Span<float>(values, count));
                    var factors = (ushort*)(panel + ((long)groups * codeBytes) + ((long)g * factorBytes));
                    if (Format == WeightFormat.Int8)
                    {
                        factors[n] = EightBits(values, count, codes);
                        Put8(codes, panel + ((long)g * codeBytes), n);
                    }
                    else
                    {
                        (factors[2 * n], factors[(2 * n) + 1]) = FourBits(values, count, codes);
                        Put4(codes, panel + ((long)g * codeBytes), n);
                    }
                }
            }
        }
    }

    private static void Put8(int* codes, byte* output, int n)
    {
        for (var k = 0; k < Group; k += 4)
        {
            *(uint*)(output + GroupedReader.Place(k, n)) = (byte)codes[k] | ((uint)(byte)codes[k + 1] << 8) | ((uint)(byte)codes[k + 2] << 16) | ((uint)(byte)codes[k + 3] << 24);
        }
    }

    private static void Put4(int* codes, byte* output, int n)
    {
        for (var k = 0; k < Group / 2; k += 4)
        {
            var upper = codes + (Group / 2);
            *(uint*)(output + GroupedReader.Place(k, n)) = (uint)(codes[k] | (upper[k] << 4) | (codes[k + 1] << 8) | (upper[k + 1] << 12)
                | (codes[k + 2] << 16) | (upper[k + 2] << 20) | (codes[k + 3] << 24) | (upper[k + 3] << 28));
        }
    }

    /// <summary>The scale in bfloat16.</summary>
    private static ushort EightBits(float* values, int count, int* codes)
    {
        new Span<float>(values + count, Group - count).Clear();
        var largest = 0f;
        for (var i = 0; i < Group; i++)
        {
            largest = MathF.Max(largest, MathF.Abs(values[i]));
        }

        new Span<int>(codes, Group).Clear();
        if (!float.IsFinite(largest) || largest < Smallest)
        {
            return float.IsFinite(largest) ? (ushort)0 : FloatFormats.SingleToBFloat16(float.NaN);
        }

        // The scale that makes the largest the last code, and the few around it.
        var first = FloatFormats.SingleToBFloat16(largest / 127);
        var (best, error) = (first, float.PositiveInfinity);
        for (var candidate = first - 1; candidate <= first + 1; candidate++)
        {
            var e = Error(values, FloatFormats.BFloat16ToSingle((ushort)candidate), 0, -127, 127);
            (best, error) = e < error ? ((ushort)candidate, e) : (best, error);
        }

        Encode(values, FloatFormats.BFloat16ToSingle(best), 0, -127, 127, codes);
        return best;
    }

    /// <summary>Minimum and scale in bfloat16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (ushort Minimum, ushort Scale) FourBits(float* values, int count, int* codes)
    {
        new Span<float>(values + count, Group - count).Fill(values[0]);
        float low = values[0], high = values[0];
        for (var i = 1; i < Group; i++)
        {
            (low, high) = (MathF.Min(low, values[i]), MathF.Max(high, values[i]));
        }

        new Span<int>(codes, Group).Clear();
        var range = high - low;
        if (!float.IsFinite(range) || range < Smallest)
        {
            return (FloatFormats.SingleToBFloat16(low), float.IsFinite(range) ? (ushort)0 : FloatFormats.SingleToBFloat16(float.NaN));
        }

        ushort bestScale = 0, bestMinimum = 0;
        var error = float.PositiveInfinity;
        for (var i = 0; i < 12; i++)
        {
            // From codes that reach beyond both ends, inwards: what lies outside is cut.
            var step = range / (14.2f + (0.25f * i));
            var centre = low + (0.5f * range);
            var (scale, minimum) = Fit(values, step, centre - (7.5f * step));
            ushort s = FloatFormats.SingleToBFloat16(scale), m = FloatFormats.SingleToBFloat16(minimum);
            var e = FloatFormats.BFloat16ToSingle(s) < Smallest / 16 ? float.PositiveInfinity : Error(values, FloatFormats.BFloat16ToSingle(s), FloatFormats.BFloat16ToSingle(m), 0, 15);
            (bestScale, bestMinimum, error) = e < error ? (s, m, e) : (bestScale, bestMinimum, error);
        }

        if (bestScale == 0)
        {
            return (FloatFormats.SingleToBFloat16(low), 0);
        }

        Encode(values, FloatFormats.BFloat16ToSingle(bestScale), FloatFormats.BFloat16ToSingle(bestMinimum), 0, 15, codes);
        return (bestMinimum, bestScale);
    }

    /// <summary>Scale and minimum with the least squared error for the codes that a first pair leads to.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (float Scale, float Minimum) Fit(float* values, float scale, float minimum)
    {
        Vector256<float> q = Vector256<float>.Zero, qq = q, qw = q, w = q;
        for (var i = 0; i < Vectors; i++)
        {
            var value = Vector256.Load(values + (8 * i));
            var code = Code(value, 1 / scale, minimum, 0, 15);
            (q, qq, qw, w) = (q + code, qq + (code * code), qw + (code * value), w + value);
        }

        float sq = Lanes256.Sum(q), sqq = Lanes256.Sum(qq), sqw = Lanes256.Sum(qw), sw = Lanes256.Sum(w);
        var determinant = (Group * sqq) - (sq * sq);
        if (determinant <= 0)
        {
            return (scale, minimum);
        }

        var fitted = ((Group * sqw) - (sq * sw)) / determinant;
        return (fitted, (sw - (fitted * sq)) / Group);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Error(float* values, float scale, float minimum, float least, float most)
    {
        var sum = Vector256<float>.Zero;
        for (var i = 0; i < Vectors; i++)
        {
            var value = Vector256.Load(values + (8 * i));
            var difference = value - ((Code(value, 1 / scale, minimum, least, most) * Vector256.Create(scale)) + Vector256.Create(minimum));
            sum += difference * difference;
        }

        return Lanes256.Sum(sum);
    }

    private static void Encode(float* values, float scale, float minimum, float least, float most, int* codes)
    {
        for (var i = 0; i < Vectors; i++)
        {
            Vector256.ConvertToInt32(Code(Vector256.Load(values + (8 * i)), 1 / scale, minimum, least, most)).Store(codes + (8 * i));
        }
    }

    /// <summary>The nearest code, ties to even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Code(Vector256<float> value, float inverse, float minimum, float least, float most)
    {
        var magic = Vector256.Create(12_582_912f);
        var code = (((value - Vector256.Create(minimum)) * Vector256.Create(inverse)) + magic) - magic;
        return Vector256.Min(Vector256.Max(code, Vector256.Create(least)), Vector256.Create(most));
    }
}
