using System.Diagnostics;
using System.Runtime.InteropServices;

namespace KvPrefetch.Benchmarks.Constraints;

/// <summary>Microseconds since some time: by the wall, or with <c>--cpu-time</c> those that the processor gave this thread, which tell something on a machine that others use too. Linux only.</summary>
internal static partial class Clock
{
    private const int ThreadCpuTime = 3;

    public static bool OfThread { get; set; }

    public static double Now()
    {
        if (!OfThread)
        {
            return Stopwatch.GetTimestamp() * 1e6 / Stopwatch.Frequency;
        }

        _ = GetTime(ThreadCpuTime, out var time);
        return (time.Seconds * 1e6) + (time.Nanoseconds / 1e3);
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int GetTime(int clock, out Time time);

    [StructLayout(LayoutKind.Sequential)]
    private struct Time
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
