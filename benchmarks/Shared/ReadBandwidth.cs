using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace KvPrefetch.Benchmarks;

/// <summary>How fast the memory of this machine can be read: a plain streaming read by a number of threads, the yardstick beside every figure here.
/// Decoding reads every weight once a token, so this bounds its speed.</summary>
internal static class ReadBandwidth
{
    private const int Passes = 7;
    private static float[]? _buffer;

    /// <summary>Gigabytes (1e9 bytes) per second: the median of several passes over 1 GiB.</summary>
    /// <param name="threads">Threads that read, each its own part.</param>
    public static double Measure(int threads)
    {
        var buffer = _buffer ??= Touched(GC.AllocateUninitializedArray<float>(1 << 28, pinned: true));
        var seconds = new double[Passes];
        var part = buffer.Length / threads / 64 * 64;
        using var barrier = new Barrier(threads + 1);
        var readers = Enumerable.Range(0, threads).Select(index => new Thread(() =>
        {
            var slice = buffer.AsSpan(index * part, part);
            for (var pass = 0; pass < Passes; pass++)
            {
                barrier.SignalAndWait();
                Sum(slice);
                barrier.SignalAndWait();
            }
        })).ToArray();
        Array.ForEach(readers, reader => reader.Start());
        for (var pass = 0; pass < Passes; pass++)
        {
            barrier.SignalAndWait();
            var start = Stopwatch.GetTimestamp();
            barrier.SignalAndWait();
            seconds[pass] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        Array.ForEach(readers, reader => reader.Join());
        return (double)part * threads * sizeof(float) / Statistics.Median(seconds) / 1e9;
    }

    /// <summary>Gives the gigabyte back.</summary>
    public static void Release() => _buffer = null;

    private static float[] Touched(float[] buffer)
    {
        buffer.AsSpan().Fill(1);
        return buffer;
    }

    /// <summary>Reads all of <paramref name="values"/> (a multiple of 64 floats) with four independent accumulators.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Sum(ReadOnlySpan<float> values)
    {
        ref var first = ref MemoryMarshal.GetReference(values);
        if (Vector512.IsHardwareAccelerated)
        {
            Vector512<float> a = default, b = default, c = default, d = default;
            for (nuint i = 0; i < (nuint)values.Length; i += 64)
            {
                a += Vector512.LoadUnsafe(ref first, i);
                b += Vector512.LoadUnsafe(ref first, i + 16);
                c += Vector512.LoadUnsafe(ref first, i + 32);
                d += Vector512.LoadUnsafe(ref first, i + 48);
            }

            return Vector512.Sum(a + b + c + d);
        }

        Vector256<float> e = default, f = default, g = default, h = default;
        for (nuint i = 0; i < (nuint)values.Length; i += 32)
        {
            e += Vector256.LoadUnsafe(ref first, i);
            f += Vector256.LoadUnsafe(ref first, i + 8);
            g += Vector256.LoadUnsafe(ref first, i + 16);
            h += Vector256.LoadUnsafe(ref first, i + 24);
        }

        return Vector256.Sum(e + f + g + h);
    }
}
