using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>What kernels ask of a vector unit: <typeparamref name="V"/> is Vector128, 256 or 512 of float. Kernels are written once against this and compiled for each width.</summary>
internal unsafe interface ILanes<V>
    where V : struct
{
    /// <summary>Floats in a vector.</summary>
    static abstract int Width { get; }
    static abstract V Zero { get; }
    static abstract V Load(float* source);
    static abstract void Store(V value, float* destination);
    static abstract V Broadcast(float value);

    /// <summary>The first <c>count</c> lanes of <c>value</c>, <c>other</c> in the rest.</summary>
    static abstract V FirstLanes(V value, int count, V other);
    static abstract V Add(V a, V b);
    static abstract V Subtract(V a, V b);
    static abstract V Multiply(V a, V b);
    static abstract V Divide(V a, V b);
    static abstract V Max(V a, V b);

    /// <summary>a * b + c, rounded once where the processor can.</summary>
    static abstract V MultiplyAdd(V a, V b, V c);

    /// <summary>e^x within two units in the last place; 0 below -87.3.</summary>
    static abstract V Exp(V x);

    /// <summary>Sum of all lanes, always in the same order.</summary>
    static abstract float Sum(V a);
    static abstract float MaxAcross(V a);

    /// <summary>(Sum(a), Sum(b), Sum(c), Sum(d)), each in one order that does not depend on the other three.</summary>
    static abstract Vector128<float> Sum4(V a, V b, V c, V d);

    /// <summary>Of 2 * Width 16-bit elements, those at even places, as bits at the top of a float; the low halves are zero.</summary>
    static abstract V EvenHighHalves(ushort* source);

    /// <summary>Likewise those at odd places.</summary>
    static abstract V OddHighHalves(ushort* source);

    /// <summary>Of 4 * Width signed bytes, those at places 4 * lane + index.</summary>
    static abstract V SignedBytes(sbyte* source, int index);

    /// <summary>float16 bits at the top of each lane to float32.</summary>
    static abstract V FromHalfBits(V highHalves);

    /// <summary>2 * Width floats split into even places and odd places.</summary>
    static abstract void Deinterleave(float* source, float* even, float* odd);
}

/// <summary>512-bit vectors (AVX-512).</summary>
internal readonly unsafe struct Lanes512 : ILanes<Vector512<float>>
{
    public static int Width => 16;
    public static Vector512<float> Zero => Vector512<float>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* source) => Vector512.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> value, float* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> FirstLanes(Vector512<float> value, int count, Vector512<float> other) =>
        Vector512.ConditionalSelect(Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle(), value, other);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Subtract(Vector512<float> a, Vector512<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Divide(Vector512<float> a, Vector512<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Max(Vector512<float> a, Vector512<float> b) => Vector512.MaxNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) => Vector512.MultiplyAddEstimate(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        var n = Vector512.Floor(MultiplyAdd(x, Vector512.Create(ExpConstants.Log2E), Vector512.Create(0.5f)));
        var r = MultiplyAdd(n, Vector512.Create(-ExpConstants.Ln2High), x);
        r = MultiplyAdd(n, Vector512.Create(-ExpConstants.Ln2Low), r);
        var p = Vector512.Create(ExpConstants.C6);
        p = MultiplyAdd(p, r, Vector512.Create(ExpConstants.C5));
        p = MultiplyAdd(p, r, Vector512.Create(ExpConstants.C4));
        p = MultiplyAdd(p, r, Vector512.Create(ExpConstants.C3));
        p = MultiplyAdd(p, r, Vector512.Create(ExpConstants.C2));
        p = MultiplyAdd(p, r * r, r) + Vector512<float>.One;
        var scale = (Vector512.ConvertToInt32(Vector512.MinNative(n, Vector512.Create(127f))) + Vector512.Create(127)) << 23;
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(ExpConstants.Lowest)), Vector512<float>.Zero, p * scale.AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector512<float> a) => Lanes256.Sum(a.GetLower() + a.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Vector512<float> a) => Lanes256.MaxAcross(Vector256.MaxNative(a.GetLower(), a.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sum4(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d) =>
        Lanes256.Sum4(a.GetLower() + a.GetUpper(), b.GetLower() + b.GetUpper(), c.GetLower() + c.GetUpper(), d.GetLower() + d.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> EvenHighHalves(ushort* source) => (Vector512.Load((uint*)source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> OddHighHalves(ushort* source) => (Vector512.Load((uint*)source) & Vector512.Create(0xFFFF0000u)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SignedBytes(sbyte* source, int index) => Vector512.ConvertToSingle((Vector512.Load((int*)source) << (24 - (8 * index))) >> 24);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> FromHalfBits(Vector512<float> highHalves)
    {
        var bits = highHalves.AsUInt32();
        var magnitude = (bits & Vector512.Create(HalfConstants.MagnitudeMask)) >> 3;
        var value = (magnitude.AsSingle() * Vector512.Create(HalfConstants.Rebias)).AsUInt32();
        var special = Vector512.GreaterThanOrEqual(magnitude, Vector512.Create(HalfConstants.SpecialFrom));
        value = Vector512.ConditionalSelect(special, magnitude | Vector512.Create(HalfConstants.SpecialExponent), value);
        return (value | (bits & Vector512.Create(0x8000_0000u))).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Deinterleave(float* source, float* even, float* odd)
    {
        var low = Vector512.Load(source);
        var high = Vector512.Load(source + 16);
        if (System.Runtime.Intrinsics.X86.Avx512F.IsSupported)
        {
            System.Runtime.Intrinsics.X86.Avx512F.PermuteVar16x32x2(low, Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30), high).Store(even);
            System.Runtime.Intrinsics.X86.Avx512F.PermuteVar16x32x2(low, Vector512.Create(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31), high).Store(odd);
        }
        else
        {
            Lanes256.Deinterleave(source, even, odd);
            Lanes256.Deinterleave(source + 16, even + 8, odd + 8);
        }
    }
}

/// <summary>256-bit vectors (AVX2).</summary>
internal readonly unsafe struct Lanes256 : ILanes<Vector256<float>>
{
    public static int Width => 8;
    public static Vector256<float> Zero => Vector256<float>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* source) => Vector256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> value, float* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Broadcast(float value) => Vector256.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> FirstLanes(Vector256<float> value, int count, Vector256<float> other) =>
        Vector256.ConditionalSelect(Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).AsSingle(), value, other);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Subtract(Vector256<float> a, Vector256<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Divide(Vector256<float> a, Vector256<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Max(Vector256<float> a, Vector256<float> b) => Vector256.MaxNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) => Vector256.MultiplyAddEstimate(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x)
    {
        var n = Vector256.Floor(MultiplyAdd(x, Vector256.Create(ExpConstants.Log2E), Vector256.Create(0.5f)));
        var r = MultiplyAdd(n, Vector256.Create(-ExpConstants.Ln2High), x);
        r = MultiplyAdd(n, Vector256.Create(-ExpConstants.Ln2Low), r);
        var p = Vector256.Create(ExpConstants.C6);
        p = MultiplyAdd(p, r, Vector256.Create(ExpConstants.C5));
        p = MultiplyAdd(p, r, Vector256.Create(ExpConstants.C4));
        p = MultiplyAdd(p, r, Vector256.Create(ExpConstants.C3));
        p = MultiplyAdd(p, r, Vector256.Create(ExpConstants.C2));
        p = MultiplyAdd(p, r * r, r) + Vector256<float>.One;
        var scale = (Vector256.ConvertToInt32(Vector256.MinNative(n, Vector256.Create(127f))) + Vector256.Create(127)) << 23;
        return Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256.Create(ExpConstants.Lowest)), Vector256<float>.Zero, p * scale.AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> a) => Lanes128.Sum(a.GetLower() + a.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Vector256<float> a) => Lanes128.MaxAcross(Vector128.MaxNative(a.GetLower(), a.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sum4(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d) =>
        Lanes128.Sum4(a.GetLower() + a.GetUpper(), b.GetLower() + b.GetUpper(), c.GetLower() + c.GetUpper(), d.GetLower() + d.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> EvenHighHalves(ushort* source) => (Vector256.Load((uint*)source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> OddHighHalves(ushort* source) => (Vector256.Load((uint*)source) & Vector256.Create(0xFFFF0000u)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> SignedBytes(sbyte* source, int index) => Vector256.ConvertToSingle((Vector256.Load((int*)source) << (24 - (8 * index))) >> 24);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> FromHalfBits(Vector256<float> highHalves)
    {
        var bits = highHalves.AsUInt32();
        var magnitude = (bits & Vector256.Create(HalfConstants.MagnitudeMask)) >> 3;
        var value = (magnitude.AsSingle() * Vector256.Create(HalfConstants.Rebias)).AsUInt32();
        var special = Vector256.GreaterThanOrEqual(magnitude, Vector256.Create(HalfConstants.SpecialFrom));
        value = Vector256.ConditionalSelect(special, magnitude | Vector256.Create(HalfConstants.SpecialExponent), value);
        return (value | (bits & Vector256.Create(0x8000_0000u))).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Deinterleave(float* source, float* even, float* odd)
    {
        Lanes128.Deinterleave(source, even, odd);
        Lanes128.Deinterleave(source + 8, even + 4, odd + 4);
    }
}

/// <summary>128-bit vectors: NEON, SSE, and plain scalar code where there is neither.</summary>
internal readonly unsafe struct Lanes128 : ILanes<Vector128<float>>
{
    public static int Width => 4;
    public static Vector128<float> Zero => Vector128<float>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load(float* source) => Vector128.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<float> value, float* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Broadcast(float value) => Vector128.Create(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FirstLanes(Vector128<float> value, int count, Vector128<float> other) =>
        Vector128.ConditionalSelect(Vector128.LessThan(Vector128<int>.Indices, Vector128.Create(count)).AsSingle(), value, other);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Subtract(Vector128<float> a, Vector128<float> b) => a - b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Multiply(Vector128<float> a, Vector128<float> b) => a * b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Divide(Vector128<float> a, Vector128<float> b) => a / b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Max(Vector128<float> a, Vector128<float> b) => Vector128.MaxNative(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) => Vector128.MultiplyAddEstimate(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Exp(Vector128<float> x)
    {
        var n = Vector128.Floor(MultiplyAdd(x, Vector128.Create(ExpConstants.Log2E), Vector128.Create(0.5f)));
        var r = MultiplyAdd(n, Vector128.Create(-ExpConstants.Ln2High), x);
        r = MultiplyAdd(n, Vector128.Create(-ExpConstants.Ln2Low), r);
        var p = Vector128.Create(ExpConstants.C6);
        p = MultiplyAdd(p, r, Vector128.Create(ExpConstants.C5));
        p = MultiplyAdd(p, r, Vector128.Create(ExpConstants.C4));
        p = MultiplyAdd(p, r, Vector128.Create(ExpConstants.C3));
        p = MultiplyAdd(p, r, Vector128.Create(ExpConstants.C2));
        p = MultiplyAdd(p, r * r, r) + Vector128<float>.One;
        var scale = (Vector128.ConvertToInt32(Vector128.MinNative(n, Vector128.Create(127f))) + Vector128.Create(127)) << 23;
        return Vector128.ConditionalSelect(Vector128.LessThan(x, Vector128.Create(ExpConstants.Lowest)), Vector128<float>.Zero, p * scale.AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector128<float> a) => Sum4(a, a, a, a).ToScalar();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Vector128<float> a)
    {
        a = Vector128.MaxNative(a, Vector128.Shuffle(a, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(a, Vector128.Shuffle(a, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    /// <summary>A 4x4 transpose followed by (0 + 2) + (1 + 3) in every lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sum4(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        var ab = UnpackLow(a, b) + UnpackHigh(a, b);    // a0+a2, b0+b2, a1+a3, b1+b3
        var cd = UnpackLow(c, d) + UnpackHigh(c, d);
        return Vector128.Create(ab.GetLower(), cd.GetLower()) + Vector128.Create(ab.GetUpper(), cd.GetUpper());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> EvenHighHalves(ushort* source) => (Vector128.Load((uint*)source) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> OddHighHalves(ushort* source) => (Vector128.Load((uint*)source) & Vector128.Create(0xFFFF0000u)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SignedBytes(sbyte* source, int index) => Vector128.ConvertToSingle((Vector128.Load((int*)source) << (24 - (8 * index))) >> 24);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> FromHalfBits(Vector128<float> highHalves)
    {
        var bits = highHalves.AsUInt32();
        var magnitude = (bits & Vector128.Create(HalfConstants.MagnitudeMask)) >> 3;
        var value = (magnitude.AsSingle() * Vector128.Create(HalfConstants.Rebias)).AsUInt32();
        var special = Vector128.GreaterThanOrEqual(magnitude, Vector128.Create(HalfConstants.SpecialFrom));
        value = Vector128.ConditionalSelect(special, magnitude | Vector128.Create(HalfConstants.SpecialExponent), value);
        return (value | (bits & Vector128.Create(0x8000_0000u))).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Deinterleave(float* source, float* even, float* odd)
    {
        var low = Vector128.Shuffle(Vector128.Load(source), Vector128.Create(0, 2, 1, 3));
        var high = Vector128.Shuffle(Vector128.Load(source + 4), Vector128.Create(0, 2, 1, 3));
        Vector128.Create(low.GetLower(), high.GetLower()).Store(even);
        Vector128.Create(low.GetUpper(), high.GetUpper()).Store(odd);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> UnpackLow(Vector128<float> a, Vector128<float> b) =>
        System.Runtime.Intrinsics.X86.Sse.IsSupported ? System.Runtime.Intrinsics.X86.Sse.UnpackLow(a, b)
        : System.Runtime.Intrinsics.Arm.AdvSimd.Arm64.IsSupported ? System.Runtime.Intrinsics.Arm.AdvSimd.Arm64.ZipLow(a, b)
        : Vector128.Create(a[0], b[0], a[1], b[1]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> UnpackHigh(Vector128<float> a, Vector128<float> b) =>
        System.Runtime.Intrinsics.X86.Sse.IsSupported ? System.Runtime.Intrinsics.X86.Sse.UnpackHigh(a, b)
        : System.Runtime.Intrinsics.Arm.AdvSimd.Arm64.IsSupported ? System.Runtime.Intrinsics.Arm.AdvSimd.Arm64.ZipHigh(a, b)
        : Vector128.Create(a[2], b[2], a[3], b[3]);
}

/// <summary>e^x = 2^n * e^r with r in [-ln2/2, ln2/2]; minimax polynomial of degree 6.</summary>
internal static class ExpConstants
{
    public const float Log2E = 1.44269504088896341f;
    public const float Ln2High = 0.693359375f;
    public const float Ln2Low = -2.12194440e-4f;
    public const float Lowest = -87.33f;
    public const float C2 = 0.5f;
    public const float C3 = 0.166666671f;
    public const float C4 = 0.0416657962f;
    public const float C5 = 0.00833332539f;
    public const float C6 = 0.00139304355f;
}

/// <summary>float16 held in the top half of a lane: sign 31, exponent 30..26, mantissa 25..16. Shifted right by three it has float32's fields with the wrong bias.</summary>
internal static class HalfConstants
{
    public const uint MagnitudeMask = 0x7FFF_0000;

    /// <summary>2^112: from bias 15 to bias 127; makes subnormals right too.</summary>
    public const float Rebias = 5.192296858534828e33f;

    /// <summary>Exponent 31 after the shift: infinity and NaN.</summary>
    public const uint SpecialFrom = 0x0F80_0000;
    public const uint SpecialExponent = 0x7F80_0000;
}
