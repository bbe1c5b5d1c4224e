using System.Globalization;

namespace KvPrefetch.Engine.Backends.Cpu;

/// <summary>How many threads are worth computing with. Two hardware threads of one core share its multipliers and its way to memory: the second brings nothing but contention.</summary>
internal static class Processors
{
    private const string Topology = "/sys/devices/system/cpu";
    private const string Status = "/proc/self/status";

    /// <summary>Physical cores that this process may use, at least 1: affinity and the container's limit count. Where the system does not say which processors share a core
    /// (anything but Linux), each counts as one.</summary>
    public static int Physical { get; } = Count(Topology, Status, Environment.ProcessorCount);

    /// <param name="topology">Folder with <c>cpu0/topology/thread_siblings_list</c> and so on.</param>
    /// <param name="status">File with a line <c>Cpus_allowed_list:</c>.</param>
    /// <param name="processors">Processors that the runtime grants; never more than this.</param>
    public static int Count(string topology, string status, int processors)
    {
        try
        {
            const string Label = "Cpus_allowed_list:";
            var allowed = File.ReadLines(status).FirstOrDefault(line => line.StartsWith(Label, StringComparison.Ordinal));
            if (allowed is null)
            {
                return processors;
            }

            var cores = new HashSet<string>(StringComparer.Ordinal);
            foreach (var processor in Parse(allowed[Label.Length..]))
            {
                cores.Add(File.ReadAllText(Path.Combine(topology, FormattableString.Invariant($"cpu{processor}/topology/thread_siblings_list"))).Trim());
            }

            return Math.Clamp(cores.Count, 1, processors);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or OverflowException)
        {
            return processors;
        }
    }

    /// <summary>The numbers of a list such as <c>0-3,8</c>.</summary>
    private static IEnumerable<int> Parse(string list)
    {
        foreach (var range in list.Trim().Split(','))
        {
            var ends = range.Split('-');
            var from = int.Parse(ends[0], CultureInfo.InvariantCulture);
            for (var i = from; i <= int.Parse(ends[^1], CultureInfo.InvariantCulture); i++)
            {
                yield return i;
            }
        }
    }
}
