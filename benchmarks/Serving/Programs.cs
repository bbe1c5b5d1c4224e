using System.Diagnostics;
using System.Text.Json;

namespace KvPrefetch.Benchmarks.Serving;

/// <summary>One program's figures of one round.</summary>
/// <param name="LoadMs">Null where the program does not say.</param>
/// <param name="MemoryMiB">Likewise.</param>
internal sealed record Figures(double? LoadMs, double FirstTokenMs, double PrefillTokensPerSecond, double DecodeTokensPerSecond, double? MemoryMiB);

/// <summary>Starts the programs that are compared.</summary>
internal static class Programs
{
    public static Figures RunOurs(Settings settings) =>
        Read(Start(Environment.ProcessPath!, ["--ours", "--model", settings.Model, "--arithmetic", settings.Arithmetic, "--weights", settings.Weights, .. settings.Shared()], Environment.CurrentDirectory));

    public static Figures RunPeer(Settings settings) => settings.Ik is not null ? RunIk(settings) :
        Read(Start("node", [Path.GetFullPath(settings.Peer!), Path.GetFullPath(settings.Gguf), .. settings.Shared()], settings.PeerFolder));

    /// <summary>Milliseconds from starting samples/StreamingChat to its first character, with the same prompt.</summary>
    public static double RunColdStart(Settings settings, string repository)
    {
        var program = Path.Combine(repository, "samples", "StreamingChat", "bin", "Release", "net10.0", OperatingSystem.IsWindows() ? "StreamingChat.exe" : "StreamingChat");
        var start = Stopwatch.GetTimestamp();
        using var process = Start(program,
        [
            "--model", settings.Model, "--prompt-ids", string.Join(',', settings.Prompt(0)), "--ids", "--temperature", "0", "--max-tokens", "1",
            "--arithmetic", settings.Arithmetic, "--weights", settings.Weights, "--threads", settings.Threads.ToString(System.Globalization.CultureInfo.InvariantCulture),
        ], Environment.CurrentDirectory, quiet: true);
        var first = process.StandardOutput.Read();
        var elapsed = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 && first >= 0 ? elapsed : throw new InvalidOperationException($"{program} ended with exit code {process.ExitCode}");
    }

    /// <summary>llama-bench knows neither how long it loaded nor what it takes: those rows stay empty.</summary>
    private static Figures RunIk(Settings settings)
    {
        static string Text(int value) => value.ToString(System.Globalization.CultureInfo.InvariantCulture);
        using var process = Start(settings.Ik!,
        [
            "-t", Text(settings.Threads), "-rtr", "1", "-m", Path.GetFullPath(settings.Gguf), "-p", Text(settings.PromptTokens), "-n", "0",
            "-gp", Text(settings.PromptTokens) + "," + Text(settings.NewTokens), "-r", Text(settings.Repeat), "-o", "json",
        ], Environment.CurrentDirectory, quiet: true);
        process.BeginErrorReadLine();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{settings.Ik} ended with exit code {process.ExitCode}");
        }

        using var json = JsonDocument.Parse(output[output.IndexOf('[', StringComparison.Ordinal)..]);
        double Median(bool generates) => Statistics.Median([.. json.RootElement.EnumerateArray().Single(test => test.GetProperty("n_gen").GetInt32() > 0 == generates).GetProperty("samples_ts").EnumerateArray().Select(sample => sample.GetDouble())]);
        var prefill = Median(generates: false);
        return new Figures(LoadMs: null, 1000 * settings.PromptTokens / prefill, prefill, Median(generates: true), MemoryMiB: null);
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
