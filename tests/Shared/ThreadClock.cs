using System.Diagnostics;
using System.Runtime.InteropServices;

namespace KvPrefetch.Tests;

/// <summary>Time that the processor gave this thread, which other work on the machine does not lengthen; the wall's where the system has no such clock.</summary>
internal static class ThreadClock
{
    private const int ThreadCpuTime = 3;

    /// <summary>Seconds since some time.</summary>
    public static double Now()
    {
        if (!OperatingSystem.IsLinux() || GetTime(ThreadCpuTime, out var time) != 0)
        {
            return Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency;
        }

        return time.Seconds + (time.Nanoseconds / 1e9);
    }

#pragma warning disable SYSLIB1054 // The generated form needs unsafe code, which tests do without.
    [DllImport("libc", EntryPoint = "clock_gettime")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern int GetTime(int clock, out Time time);
#pragma warning restore SYSLIB1054

    [StructLayout(LayoutKind.Sequential)]
    private struct Time
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
