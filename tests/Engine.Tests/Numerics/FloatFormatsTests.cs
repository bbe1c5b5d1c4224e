using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Numerics;

/// <summary>Every value of every short format, against definitions written here.</summary>
public sealed class FloatFormatsTests
{
    private static readonly ushort[] AllShorts = [.. Enumerable.Range(0, 65_536).Select(i => (ushort)i)];
    private static readonly byte[] AllBytes = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];

    /// <summary>sign * 2^(e - bias) * (1 + m / 2^bits), subnormals and specials as IEEE has them.</summary>
    private static double Ieee(int bits, int exponentBits, int mantissaBits)
    {
        var bias = (1 << (exponentBits - 1)) - 1;
        var (exponent, mantissa) = ((bits >> mantissaBits) & ((1 << exponentBits) - 1), bits & ((1 << mantissaBits) - 1));
        var fraction = (double)mantissa / (1 << mantissaBits);
        var magnitude = exponent == (1 << exponentBits) - 1 ? (mantissa == 0 ? double.PositiveInfinity : double.NaN)
            : exponent == 0 ? fraction * Math.Pow(2, 1 - bias)
            : (1 + fraction) * Math.Pow(2, exponent - bias);
        return (bits >> (exponentBits + mantissaBits)) == 0 ? magnitude : -magnitude;
    }

    private static void AssertSame(double expected, float actual, int bits)
    {
        Assert.True(double.IsNaN(expected) ? float.IsNaN(actual) : BitConverter.SingleToInt32Bits((float)expected) == BitConverter.SingleToInt32Bits(actual), $"0x{bits:X}: expected {expected:R}, got {actual:R}");
        Assert.True(double.IsNaN(expected) || (double)(float)expected == expected, "float32 holds every value exactly");
    }

    [Fact]
    public void All_bfloat16_values_widen_exactly_alone_and_in_spans()
    {
        var wide = new float[65_536];
        FloatFormats.BFloat16ToSingle(AllShorts, wide);
        foreach (var bits in AllShorts)
        {
            AssertSame(Ieee(bits, 8, 7), FloatFormats.BFloat16ToSingle(bits), bits);
            AssertSame(Ieee(bits, 8, 7), wide[bits], bits);
        }
    }

    [Fact]
    public void All_float16_values_widen_exactly_alone_and_in_spans()
    {
        var wide = new float[65_536];
        FloatFormats.HalfToSingle(AllShorts, wide);
        foreach (var bits in AllShorts)
        {
            AssertSame(Ieee(bits, 5, 10), FloatFormats.HalfToSingle(bits), bits);
            AssertSame(Ieee(bits, 5, 10), wide[bits], bits);
            AssertSame((double)BitConverter.UInt16BitsToHalf(bits), wide[bits], bits);
        }
    }

    [Fact]
    public void All_fp8_values_widen_exactly_alone_and_in_spans()
    {
        var (e4m3, e5m2) = (new float[256], new float[256]);
        FloatFormats.E4M3ToSingle(AllBytes, e4m3);
        FloatFormats.E5M2ToSingle(AllBytes, e5m2);
        foreach (var bits in AllBytes)
        {
            // E4M3 "fn" spends the codes of infinity on numbers: with its top exponent it goes on as if it were an ordinary one, and only all ones is NaN.
            var expected = (bits & 0x7F) == 0x7F ? double.NaN
                : (bits & 0x78) == 0x78 ? (bits < 0x80 ? 1 : -1) * 256 * (1 + ((bits & 7) / 8.0))
                : Ieee(bits, 4, 3);
            AssertSame(expected, FloatFormats.E4M3ToSingle(bits), bits);
            AssertSame(expected, e4m3[bits], bits);
            AssertSame(Ieee(bits, 5, 2), FloatFormats.E5M2ToSingle(bits), bits);
            AssertSame(Ieee(bits, 5, 2), e5m2[bits], bits);
        }

        Assert.Equal((448f, 57_344f), (FloatFormats.E4M3ToSingle(0x7E), FloatFormats.E5M2ToSingle(0x7B)));
    }

    [Fact]
    public void Every_bfloat16_survives_the_way_there_and_back()
    {
        var wide = new float[65_536];
        FloatFormats.BFloat16ToSingle(AllShorts, wide);
        var back = new ushort[65_536];
        FloatFormats.SingleToBFloat16(wide, back);
        foreach (var bits in AllShorts)
        {
            Assert.Equal(back[bits], FloatFormats.SingleToBFloat16(wide[bits]));
            Assert.Equal(float.IsNaN(wide[bits]) ? (ushort)(bits | 0x40) : bits, back[bits]);
        }
    }

    [Fact]
    public void Rounding_to_bfloat16_takes_the_nearest_and_the_even_one_of_two()
    {
        // Around every positive finite value: just below, at and just above the middle to its neighbour.
        var singles = new List<float>();
        var expected = new List<ushort>();
        for (uint bits = 0; bits < 0x7F80; bits++)
        {
            foreach (var (low, up) in new[] { (0x7FFFu, 0u), (0x8000u, bits & 1), (0x8001u, 1u) })
            {
                singles.Add(BitConverter.UInt32BitsToSingle((bits << 16) | low));
                expected.Add((ushort)(bits + up));
                singles.Add(-singles[^1]);
                expected.Add((ushort)(0x8000 | (bits + up)));
            }
        }

        var actual = new ushort[singles.Count];
        FloatFormats.SingleToBFloat16(singles.ToArray(), actual);
        Assert.Equal(expected, actual);
        Assert.Equal(expected, singles.Select(FloatFormats.SingleToBFloat16));
    }

    [Fact]
    public void Spans_of_every_length_convert_like_single_values_and_a_short_destination_is_refused()
    {
        for (var length = 0; length < 70; length++)
        {
            var wide = new float[length + 1];
            FloatFormats.HalfToSingle(AllShorts.AsSpan(15_000, length), wide);
            Assert.Equal(AllShorts.Skip(15_000).Take(length).Select(FloatFormats.HalfToSingle).Append(0), wide);
            FloatFormats.BFloat16ToSingle(AllShorts.AsSpan(15_000, length), wide);
            Assert.Equal(AllShorts.Skip(15_000).Take(length).Select(FloatFormats.BFloat16ToSingle).Append(0), wide);
            var narrow = new ushort[length + 1];
            FloatFormats.SingleToBFloat16(wide.AsSpan(0, length), narrow);
            Assert.Equal(AllShorts.Skip(15_000).Take(length).Append((ushort)0), narrow);
        }

        Assert.Throws<ArgumentException>(() => FloatFormats.BFloat16ToSingle(new ushort[2], new float[1]));
    }
}
