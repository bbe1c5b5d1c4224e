using System.Diagnostics;
using System.Text.Json;

namespace KvPrefetch.Benchmarks.Serving;

/// <summary>One program's figures of one round.</summary>
internal sealed record Figures(double LoadMs, double FirstTokenMs, double PrefillTokensPerSecond, double DecodeTokensPerSecond, double MemoryMiB);

/// <summary>Starts the programs that are compared.</summary>
internal static class Programs
{
    public static Figures RunOurs(Settings settings) =>
        Read(Start(Environment.ProcessPath!, ["--ours", "--model", settings.Model, "--arithmetic", settings.Arithmetic, .. settings.Shared()], Environment.CurrentDirectory));

    public static Figures RunPeer(Settings settings) =>
        Read(Start("node", [Path.GetFullPath(settings.Peer!), Path.GetFullPath(settings.Gguf), .. settings.Shared()], settings.PeerFolder));

    /// <summary>Milliseconds from starting samples/StreamingChat to its first character, with the same prompt.</summary>
    public static double RunColdStart(Settings settings, string repository)
    {
        var program = Path.Combine(repository, "samples", "StreamingChat", "bin", "Release", "net10.0", OperatingSystem.IsWindows() ? "StreamingChat.exe" : "StreamingChat");
        var start = Stopwatch.GetTimestamp();
        using var process = Start(program,
        [
            "--model", settings.Model, "--prompt-ids", string.Join(',', settings.Prompt(0)), "--ids", "--temperature", "0", "--max-tokens", "1",
            "--arithmetic", settings.Arithmetic, "--threads", settings.Threads.ToString(System.Globalization.CultureInfo.InvariantCulture),
        ], Environment.CurrentDirectory, quiet: true);
        var first = process.StandardOutput.Read();
        var elapsed = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 && first >= 0 ? elapsed : throw new InvalidOperationException($"{program} ended with exit code {process.ExitCode}");
    }

    private static Process Start(string program, string[] arguments, string folder, bool quiet = false) =>
        Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = quiet, UseShellExecute = false })!;

    private static Figures Read(Process process)
    {
        using (process)
        {
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            if (process.ExitCode != 0)
            {
                throw new InvalidOperationException($"{process.StartInfo.FileName} ended with exit code {process.ExitCode}");
            }

            using var json = JsonDocument.Parse(output.Trim().Split('\n')[^1]);
            double Number(string name) => json.RootElement.GetProperty(name).GetDouble();
            return new Figures(Number("loadMs"), Number("firstTokenMs"), Number("prefillTokensPerSecond"), Number("decodeTokensPerSecond"), Number("rssMiB"));
        }
    }
}
