using System.Diagnostics;
using KvPrefetch.Tests;

namespace KvPrefetch.Benchmarks.Constraints;

/// <summary>Microseconds since some time: by the wall, or with <c>--cpu-time</c> those that the processor gave this thread, which tell something on a machine that others use too.</summary>
internal static class Clock
{
    public static bool OfThread { get; set; }

    public static double Now() => OfThread ? ThreadClock.Now() * 1e6 : Stopwatch.GetTimestamp() * 1e6 / Stopwatch.Frequency;
}
