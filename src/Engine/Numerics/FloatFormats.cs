using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Numerics;

/// <summary>Conversion between float32 and the short formats that weights are stored in. Widening is exact, infinities, NaN and subnormals included; a NaN stays a NaN, its payload may differ.</summary>
internal static class FloatFormats
{
    private static readonly float[] E4M3 = Table(E4M3ToSingleExact);
    private static readonly float[] E5M2 = Table(b => HalfToSingle((ushort)(b << 8)));

    /// <summary>bfloat16: the upper half of a float32.</summary>
    public static float BFloat16ToSingle(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>Rounds to nearest, ties to even; overflow gives infinity; NaN stays NaN.</summary>
    public static ushort SingleToBFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return (bits & 0x7FFF_FFFF) > 0x7F80_0000
            ? (ushort)((bits >> 16) | 0x40)
            : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>IEEE binary16.</summary>
    public static float HalfToSingle(ushort bits)
    {
        // The exponent is moved by a multiplication, which is exact and normalises subnormals on the way.
        var magnitude = (uint)(bits & 0x7FFF) << 13;
        var scaled = BitConverter.SingleToUInt32Bits(BitConverter.UInt32BitsToSingle(magnitude) * TwoTo112);
        var special = magnitude >= 0x7C00 << 13 ? 0x7F80_0000u : 0;
        return BitConverter.UInt32BitsToSingle(scaled | special | ((uint)(bits & 0x8000) << 16));
    }

    /// <summary>FP8 with 4 exponent and 3 mantissa bits, as OCP and safetensors (F8_E4M3, "fn") have it: no infinity, 0x7F and 0xFF are NaN, largest value 448.</summary>
    public static float E4M3ToSingle(byte bits) => E4M3[bits];

    /// <summary>FP8 with 5 exponent and 2 mantissa bits: the upper half of a binary16.</summary>
    public static float E5M2ToSingle(byte bits) => E5M2[bits];

    /// <summary>Widens <paramref name="source"/> into the beginning of <paramref name="destination"/>.</summary>
    public static void BFloat16ToSingle(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        RequireRoom(source.Length, destination.Length);
        var (i, width) = (0, Vector<ushort>.Count);
        ref var from = ref MemoryMarshal.GetReference(source);
        ref var to = ref Unsafe.As<float, uint>(ref MemoryMarshal.GetReference(destination));
        for (; i <= source.Length - width; i += width)
        {
            Vector.Widen(Vector.LoadUnsafe(ref from, (nuint)i), out var low, out var high);
            (low << 16).StoreUnsafe(ref to, (nuint)i);
            (high << 16).StoreUnsafe(ref to, (nuint)(i + (width / 2)));
        }

        for (; i < source.Length; i++)
        {
            destination[i] = BFloat16ToSingle(source[i]);
        }
    }

    /// <summary>Widens <paramref name="source"/> into the beginning of <paramref name="destination"/>.</summary>
    public static void HalfToSingle(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        RequireRoom(source.Length, destination.Length);
        var (i, width) = (0, Vector<ushort>.Count);
        ref var from = ref MemoryMarshal.GetReference(source);
        ref var to = ref Unsafe.As<float, uint>(ref MemoryMarshal.GetReference(destination));
        for (; i <= source.Length - width; i += width)
        {
            Vector.Widen(Vector.LoadUnsafe(ref from, (nuint)i), out var low, out var high);
            HalfToSingle(low).StoreUnsafe(ref to, (nuint)i);
            HalfToSingle(high).StoreUnsafe(ref to, (nuint)(i + (width / 2)));
        }

        for (; i < source.Length; i++)
        {
            destination[i] = HalfToSingle(source[i]);
        }
    }

    /// <summary>Rounds <paramref name="source"/> into the beginning of <paramref name="destination"/>: to nearest, ties to even.</summary>
    public static void SingleToBFloat16(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        RequireRoom(source.Length, destination.Length);
        var (i, width) = (0, Vector<ushort>.Count);
        ref var from = ref Unsafe.As<float, uint>(ref MemoryMarshal.GetReference(source));
        ref var to = ref MemoryMarshal.GetReference(destination);
        for (; i <= source.Length - width; i += width)
        {
            var low = SingleToBFloat16(Vector.LoadUnsafe(ref from, (nuint)i));
            var high = SingleToBFloat16(Vector.LoadUnsafe(ref from, (nuint)(i + (width / 2))));
            Vector.Narrow(low, high).StoreUnsafe(ref to, (nuint)i);
        }

        for (; i < source.Length; i++)
        {
            destination[i] = SingleToBFloat16(source[i]);
        }
    }

    /// <summary>Widens <paramref name="source"/> into the beginning of <paramref name="destination"/>.</summary>
    public static void E4M3ToSingle(ReadOnlySpan<byte> source, Span<float> destination) => LookUp(E4M3, source, destination);

    /// <summary>Widens <paramref name="source"/> into the beginning of <paramref name="destination"/>.</summary>
    public static void E5M2ToSingle(ReadOnlySpan<byte> source, Span<float> destination) => LookUp(E5M2, source, destination);

    private static float TwoTo112 => BitConverter.UInt32BitsToSingle((112 + 127) << 23);

    private static Vector<uint> HalfToSingle(Vector<uint> bits)
    {
        var magnitude = (bits & new Vector<uint>(0x7FFF)) << 13;
        var scaled = (magnitude.As<uint, float>() * new Vector<float>(TwoTo112)).As<float, uint>();
        var special = Vector.GreaterThanOrEqual(magnitude, new Vector<uint>(0x7C00 << 13)) & new Vector<uint>(0x7F80_0000);
        return scaled | special | ((bits & new Vector<uint>(0x8000)) << 16);
    }

    private static Vector<uint> SingleToBFloat16(Vector<uint> bits)
    {
        var upper = bits >>> 16;
        var rounded = (bits + new Vector<uint>(0x7FFF) + (upper & Vector<uint>.One)) >>> 16;
        var isNaN = Vector.GreaterThan(bits & new Vector<uint>(0x7FFF_FFFF), new Vector<uint>(0x7F80_0000));
        return Vector.ConditionalSelect(isNaN, upper | new Vector<uint>(0x40), rounded);
    }

    private static float E4M3ToSingleExact(byte bits)
    {
        var (exponent, mantissa) = ((bits >> 3) & 15, bits & 7);
        var magnitude = (exponent, mantissa) switch
        {
            (15, 7) => float.NaN,
            (0, _) => mantissa * MathF.ScaleB(1, -9),
            _ => MathF.ScaleB(1 + (mantissa / 8f), exponent - 7),
        };
        return bits < 0x80 ? magnitude : -magnitude;
    }

    private static float[] Table(Func<byte, float> convert)
    {
        var table = new float[256];
        for (var i = 0; i < table.Length; i++)
        {
            table[i] = convert((byte)i);
        }

        return table;
    }

    private static void LookUp(float[] table, ReadOnlySpan<byte> source, Span<float> destination)
    {
        RequireRoom(source.Length, destination.Length);
        for (var i = 0; i < source.Length; i++)
        {
            destination[i] = table[source[i]];
        }
    }

    private static void RequireRoom(int source, int destination)
    {
        if (destination < source)
        {
            throw new ArgumentException($"The destination has room for {destination} of {source} elements.", nameof(destination));
        }
    }
}
