using System.Diagnostics;
using System.Globalization;

namespace KvPrefetch.Benchmarks.Serving;

/// <summary>Watches a process: the most memory that is resident and belongs to no file, twenty times a second, from Linux's /proc. 0 elsewhere.</summary>
internal sealed class PrivateMemory : IDisposable
{
    private readonly Timer _timer;
    private long _peakKiB;

    public PrivateMemory(Process process)
    {
        var status = string.Create(CultureInfo.InvariantCulture, $"/proc/{process.Id}/status");
        _timer = new Timer(_ => Look(status), null, 0, 50);
    }

    public double PeakMiB => Volatile.Read(ref _peakKiB) / 1024.0;

    public void Dispose() => _timer.Dispose();

    private void Look(string status)
    {
        try
        {
            const string Label = "RssAnon:";
            var line = File.ReadLines(status).FirstOrDefault(line => line.StartsWith(Label, StringComparison.Ordinal));
            if (line is not null)
            {
                var now = long.Parse(line[Label.Length..].Replace("kB", string.Empty, StringComparison.Ordinal), CultureInfo.InvariantCulture);
                Volatile.Write(ref _peakKiB, Math.Max(_peakKiB, now));
            }
        }
        catch (IOException)
        {
            // The process has ended, or this is no Linux.
        }
    }
}
