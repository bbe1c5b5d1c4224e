using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>A block of 16 x 16 elements of 32 bits, turned over. Only where AVX-512 is.</summary>
internal static unsafe class Transpose16
{
    /// <param name="source">16 rows of 16 elements.</param>
    /// <param name="sourcePitch">Elements from a row to the next.</param>
    /// <param name="destination">16 rows of 16 elements; may be the source where the pitches are equal.</param>
    /// <param name="destinationPitch">Elements from a row to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* source, long sourcePitch, float* destination, long destinationPitch)
    {
        // Pairs and quads within four rows first, then quarters across rows of the same place.
        var quads = stackalloc Vector512<float>[16];
        for (var i = 0; i < 16; i += 4)
        {
            Vector512<float> a = Vector512.Load(source + (i * sourcePitch)), b = Vector512.Load(source + ((i + 1) * sourcePitch));
            Vector512<float> c = Vector512.Load(source + ((i + 2) * sourcePitch)), d = Vector512.Load(source + ((i + 3) * sourcePitch));
            Vector512<double> abLow = Avx512F.UnpackLow(a, b).AsDouble(), abHigh = Avx512F.UnpackHigh(a, b).AsDouble();
            Vector512<double> cdLow = Avx512F.UnpackLow(c, d).AsDouble(), cdHigh = Avx512F.UnpackHigh(c, d).AsDouble();
            quads[i] = Avx512F.UnpackLow(abLow, cdLow).AsSingle();
            quads[i + 1] = Avx512F.UnpackHigh(abLow, cdLow).AsSingle();
            quads[i + 2] = Avx512F.UnpackLow(abHigh, cdHigh).AsSingle();
            quads[i + 3] = Avx512F.UnpackHigh(abHigh, cdHigh).AsSingle();
        }

        // quads[4 * r + c] holds, quarter by quarter q, column 4 * q + c of rows 4 * r to 4 * r + 3.
        for (var c = 0; c < 4; c++)
        {
            Vector512<float> r0 = quads[c], r1 = quads[4 + c], r2 = quads[8 + c], r3 = quads[12 + c];
            Vector512<float> even01 = Avx512F.Shuffle4x128(r0, r1, 0x88), odd01 = Avx512F.Shuffle4x128(r0, r1, 0xDD);
            Vector512<float> even23 = Avx512F.Shuffle4x128(r2, r3, 0x88), odd23 = Avx512F.Shuffle4x128(r2, r3, 0xDD);
            Avx512F.Shuffle4x128(even01, even23, 0x88).Store(destination + (c * destinationPitch));
            Avx512F.Shuffle4x128(odd01, odd23, 0x88).Store(destination + ((4 + c) * destinationPitch));
            Avx512F.Shuffle4x128(even01, even23, 0xDD).Store(destination + ((8 + c) * destinationPitch));
            Avx512F.Shuffle4x128(odd01, odd23, 0xDD).Store(destination + ((12 + c) * destinationPitch));
        }
    }
}
