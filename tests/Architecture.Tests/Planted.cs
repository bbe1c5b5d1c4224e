// Violations on purpose, in this test assembly only: they prove that the reader sees what it must see.
using System.Runtime.InteropServices;

namespace KvPrefetch.Engine.Backends
{
    internal static class PlantedDevice
    {
        public static int Step(int value) => value + 1;
    }
}

namespace KvPrefetch.Engine.Scheduling
{
    using KvPrefetch.Engine.Backends;

    /// <summary>Knows a device, and only inside a lambda inside an iterator, behind a jump table: no signature shows it.</summary>
    internal static class PlantedScheduler
    {
        public static IEnumerable<int> Next(IEnumerable<int> values)
        {
            foreach (var value in values.Select(value => value switch { 0 => 3, 1 => 4, 2 => 1, 3 => 5, 4 => 9, _ => PlantedDevice.Step(value) }))
            {
                yield return value;
            }
        }

        [DllImport("nowhere")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern void Call();
    }
}
