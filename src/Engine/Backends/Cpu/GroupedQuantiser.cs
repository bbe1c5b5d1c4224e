using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>Quantises a matrix into panels of <see cref="GroupedLayout"/>. An item is a panel. Of several scales (and minima, fitted to the codes that they lead to) the one with the smallest sum of squared errors counts,
/// in the precision in which it is kept. Eight outputs go side by side, one in each lane: the same choice on every machine.</summary>
internal unsafe struct GroupedQuantiser : IParallelJob
{
    private const int Group = GroupedLayout.Group, Lanes = 8, Candidates = 12;

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
        var values = stackalloc float[Group * Lanes];
        for (var p = from; p < end; p++)
        {
            var panel = Panels + (p * panelBytes);
            var factors = panel + ((long)groups * codeBytes);
            new Span<byte>(factors, (int)(panel + panelBytes - factors)).Clear();    // what fills the panel up
            for (var g = 0; g < groups; g++)
            {
                for (var half = 0; half < 2; half++)
                {
                    Gather((p * GroupedLayout.Outputs) + (half * Lanes), g * Group, values);
                    if (Format == WeightFormat.Int8)
                    {
                        EightBits(values, panel + ((long)g * codeBytes) + (half * 32), (ushort*)(factors + ((long)g * factorBytes)) + (half * Lanes));
                    }
                    else
                    {
                        FourBits(values, panel + ((long)g * codeBytes) + (half * 32), (uint*)(factors + ((long)g * factorBytes)) + (half * Lanes));
                    }
                }
            }
        }
    }

    /// <summary>A group of eight outputs, <c>[input][output]</c>. Outputs that the matrix lacks are zeros; for inputs that it lacks the first stands again (Int4), where it widens nothing, or zero (Int8).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void Gather(int firstRow, int firstColumn, float* values)
    {
        var row = stackalloc float[Group];
        var count = Math.Min(Group, Columns - firstColumn);
        for (var n = 0; n < Lanes; n++)
        {
            if (firstRow + n < Rows)
            {
                HostFloats.Read(Source + ((((long)(firstRow + n) * Columns) + firstColumn) * Type.ByteSize()), Type, new Span<float>(row, count));
                new Span<float>(row + count, Group - count).Fill(Format == WeightFormat.Int4 ? row[0] : 0);
            }
            else
            {
                new Span<float>(row, Group).Clear();
            }

            for (var k = 0; k < Group; k++)
            {
                values[(k * Lanes) + n] = row[k];
            }
        }
    }

    /// <summary>The scale that makes the largest the last code, or its neighbour in bfloat16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void EightBits(float* values, byte* output, ushort* scales)
    {
        var largest = Vector256<float>.Zero;
        for (var k = 0; k < Group; k++)
        {
            largest = Vector256.Max(largest, Vector256.Abs(Vector256.Load(values + (k * Lanes))));
        }

        Vector256<float> least = Vector256.Create(-127f), most = Vector256.Create(127f), first = Short(largest / most), best = first, error = Vector256.Create(float.PositiveInfinity);
        for (var candidate = -1; candidate <= 1; candidate++)
        {
            var scale = (first.AsInt32() + Vector256.Create(candidate << 16)).AsSingle();
            var e = Error(values, scale, Vector256<float>.Zero, least, most);
            var better = Vector256.LessThan(e, error);
            (best, error) = (Vector256.ConditionalSelect(better, scale, best), Vector256.ConditionalSelect(better, e, error));
        }

        var finite = Vector256.LessThan(largest, Vector256.Create(float.PositiveInfinity));
        var filled = finite & Vector256.GreaterThanOrEqual(largest, Vector256.Create(Smallest));
        var inverse = Vector256<float>.One / best;
        for (var k = 0; k < Group; k += 4)
        {
            Vector256<int> Of(int i) => Vector256.ConvertToInt32(Code(Vector256.Load(values + ((k + i) * Lanes)), inverse, Vector256<float>.Zero, least, most)) & filled.AsInt32() & Vector256.Create(255);
            (Of(0) | (Of(1) << 8) | (Of(2) << 16) | (Of(3) << 24)).Store((int*)(output + (k / 4 * 64)));
        }

        best = Vector256.ConditionalSelect(finite, best & filled, Vector256.Create(float.NaN));
        var bits = best.AsUInt32() >> 16;
        Vector128.Narrow(bits.GetLower(), bits.GetUpper()).Store(scales);
    }

    /// <summary>Minimum and scale: from codes that reach beyond both ends, inwards, where what lies outside is cut.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourBits(float* values, byte* output, uint* factors)
    {
        Vector256<float> low = Vector256.Load(values), high = low, sum = low, least = Vector256<float>.Zero, most = Vector256.Create(15f);
        for (var k = 1; k < Group; k++)
        {
            var value = Vector256.Load(values + (k * Lanes));
            (low, high, sum) = (Vector256.Min(low, value), Vector256.Max(high, value), sum + value);
        }

        var range = high - low;
        Vector256<float> scale = Vector256<float>.Zero, minimum = Short(low), error = Vector256.Create(float.PositiveInfinity);
        for (var i = 0; i < Candidates; i++)
        {
            var step = range * Vector256.Create(1 / (14.2f + (0.25f * i)));
            var (s, m) = Fit(values, sum, step, low + (range * Vector256.Create(0.5f)) - (step * Vector256.Create(7.5f)));
            (s, m) = (Short(s), Short(m));
            var e = Error(values, s, m, least, most);
            var better = Vector256.LessThan(e, error) & Vector256.GreaterThan(s, Vector256.Create(Smallest / 16));
            (scale, minimum, error) = (Vector256.ConditionalSelect(better, s, scale), Vector256.ConditionalSelect(better, m, minimum), Vector256.ConditionalSelect(better, e, error));
        }

        var finite = Vector256.LessThan(range, Vector256.Create(float.PositiveInfinity));
        var filled = finite & Vector256.GreaterThanOrEqual(range, Vector256.Create(Smallest)) & Vector256.GreaterThan(scale, Vector256<float>.Zero);
        minimum = Vector256.ConditionalSelect(filled, minimum, Short(low));
        var inverse = Vector256<float>.One / scale;
        for (var k = 0; k < Group / 2; k += 4)
        {
            Vector256<int> One(int i) => Vector256.ConvertToInt32(Code(Vector256.Load(values + (i * Lanes)), inverse, minimum, least, most)) & filled.AsInt32() & Vector256.Create(15);
            Vector256<int> Of(int i) => One(k + i) | (One(k + i + (Group / 2)) << 4);
            (Of(0) | (Of(1) << 8) | (Of(2) << 16) | (Of(3) << 24)).Store((int*)(output + (k / 4 * 64)));
        }

        scale = Vector256.ConditionalSelect(finite, scale & filled, Vector256.Create(float.NaN));
        ((scale.AsUInt32() & Vector256.Create(0xFFFF_0000u)) | (minimum.AsUInt32() >> 16)).Store(factors);
    }

    /// <summary>Scale and minimum with the least squared error for the codes that a first pair leads to.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float> Scale, Vector256<float> Minimum) Fit(float* values, Vector256<float> sum, Vector256<float> scale, Vector256<float> minimum)
    {
        Vector256<float> q = Vector256<float>.Zero, qq = q, qw = q, inverse = Vector256<float>.One / scale, most = Vector256.Create(15f), group = Vector256.Create((float)Group);
        for (var k = 0; k < Group; k++)
        {
            var value = Vector256.Load(values + (k * Lanes));
            var code = Code(value, inverse, minimum, Vector256<float>.Zero, most);
            (q, qq, qw) = (q + code, qq + (code * code), qw + (code * value));
        }

        var determinant = (group * qq) - (q * q);
        var fitted = ((group * qw) - (q * sum)) / determinant;
        var possible = Vector256.GreaterThan(determinant, Vector256<float>.Zero);
        return (Vector256.ConditionalSelect(possible, fitted, scale), Vector256.ConditionalSelect(possible, (sum - (fitted * q)) / group, minimum));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Error(float* values, Vector256<float> scale, Vector256<float> minimum, Vector256<float> least, Vector256<float> most)
    {
        Vector256<float> sum = Vector256<float>.Zero, inverse = Vector256<float>.One / scale;
        for (var k = 0; k < Group; k++)
        {
            var value = Vector256.Load(values + (k * Lanes));
            var difference = value - ((Code(value, inverse, minimum, least, most) * scale) + minimum);
            sum += difference * difference;
        }

        return sum;
    }

    /// <summary>The nearest code, ties to even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Code(Vector256<float> value, Vector256<float> inverse, Vector256<float> minimum, Vector256<float> least, Vector256<float> most)
    {
        var magic = Vector256.Create(12_582_912f);
        return Vector256.MinNative(Vector256.MaxNative(((value - minimum) * inverse) + magic - magic, least), most);
    }

    /// <summary>The nearest that bfloat16 has, ties to even; what is no number stays none or becomes infinite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Short(Vector256<float> value)
    {
        var bits = value.AsUInt32();
        return ((bits + Vector256.Create(0x7FFFu) + ((bits >> 16) & Vector256<uint>.One)) & Vector256.Create(0xFFFF_0000u)).AsSingle();
    }
}
