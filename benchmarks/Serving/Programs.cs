using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace KvPrefetch.Benchmarks.Serving;

/// <summary>One program's figures of one round.</summary>
internal sealed record Figures(double LoadMs, double FirstTokenMs, double PrefillTokensPerSecond, double DecodeTokensPerSecond, double MemoryMiB)
{
    /// <summary>Most memory that was resident and no file's, in MiB: what the program needs beyond mapped weights.</summary>
    public double PrivateMiB { get; init; }
}

/// <summary>Starts the programs that are compared.</summary>
internal static class Programs
{
    public static Figures RunOurs(Settings settings) => RunOursAt(settings)[^1];

    /// <summary>One for each prompt length of the settings.</summary>
    public static Figures[] RunOursAt(Settings settings) =>
        Read(Start(Environment.ProcessPath!, ["--ours", .. settings.OursAlone(), .. settings.Shared()], Environment.CurrentDirectory));

    public static Figures RunPeer(Settings settings) =>
        Read(Start("node", [Path.GetFullPath(settings.Peer!), Path.GetFullPath(settings.Gguf), .. settings.Shared()], settings.PeerFolder))[^1];

    /// <summary>llama-bench of ik_llama.cpp: prefill of each prompt length, and decoding behind it.</summary>
    public static (int Context, double Prefill, double Decode)[] RunIk(Settings settings, string gguf)
    {
        List<string> arguments = ["-m", gguf, "-t", Whole(settings.Threads), "-rtr", "1", "-r", Whole(settings.Repeat), "-n", "0", "-o", "json", "-p", string.Join(',', settings.Contexts)];
        foreach (var context in settings.Contexts)
        {
            arguments.AddRange(["-gp", FormattableString.Invariant($"{context},{settings.NewTokens}")]);
        }

        using var process = Start(Path.Combine(settings.Ik!, "llama-bench"), [.. arguments], Environment.CurrentDirectory, quiet: true);
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        using var json = JsonDocument.Parse(process.StandardOutput.ReadToEnd());
        process.WaitForExit();
        var tests = json.RootElement.EnumerateArray()
            .Select(test => (Prompt: test.GetProperty("n_prompt").GetInt32(), New: test.GetProperty("n_gen").GetInt32(), Rate: test.GetProperty("avg_ts").GetDouble())).ToArray();
        return [.. settings.Contexts.Select(c => (c, tests.First(t => t.Prompt == c && t.New == 0).Rate, tests.First(t => t.Prompt == c && t.New > 0).Rate))];
    }

    /// <summary>Milliseconds from starting samples/StreamingChat to its first character, with the same prompt.</summary>
    public static double RunColdStart(Settings settings, string repository) => FirstCharacter(settings.Chat ?? Sample(repository),
    [
        "--model", settings.Model, "--prompt-ids", string.Join(',', settings.Prompt(0)), "--ids", "--temperature", "0", "--max-tokens", "1",
        "--arithmetic", settings.Arithmetic, .. settings.Weights == "as-stored" ? Array.Empty<string>() : ["--weights", settings.Weights], "--threads", Whole(settings.Threads),
    ]);

    /// <summary>The same of ik_llama.cpp's llama-cli, which has a text of as many tokens: single digits, one token each.</summary>
    public static double RunIkColdStart(Settings settings, string gguf) => FirstCharacter(Path.Combine(settings.Ik!, "llama-cli"),
    [
        "-m", gguf, "-t", Whole(settings.Threads), "-n", "1", "-c", "2048", "--no-display-prompt", "--temp", "0", "-p", string.Concat(Enumerable.Range(0, settings.PromptTokens).Select(i => (char)('0' + (i * 7 % 10)))),
    ]);

    private static string Sample(string repository) =>
        Path.Combine(repository, "samples", "StreamingChat", "bin", "Release", "net10.0", OperatingSystem.IsWindows() ? "StreamingChat.exe" : "StreamingChat");

    private static double FirstCharacter(string program, string[] arguments)
    {
        var start = Stopwatch.GetTimestamp();
        using var process = Start(program, arguments, Environment.CurrentDirectory, quiet: true);
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        var first = process.StandardOutput.Read();
        var elapsed = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 && first >= 0 ? elapsed : throw new InvalidOperationException($"{program} ended with exit code {process.ExitCode}");
    }

    private static Process Start(string program, string[] arguments, string folder, bool quiet = false) =>
        Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = quiet, UseShellExecute = false })!;

    private static string Whole(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static Figures[] Read(Process process)
    {
        using (process)
        using (var memory = new PrivateMemory(process))
        {
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            if (process.ExitCode != 0)
            {
                throw new InvalidOperationException($"{process.StartInfo.FileName} ended with exit code {process.ExitCode}");
            }

            return [.. output.Split('\n').Where(line => line.StartsWith('{')).Select(line =>
            {
                using var json = JsonDocument.Parse(line);
                double Number(string name) => json.RootElement.GetProperty(name).GetDouble();
                return new Figures(Number("loadMs"), Number("firstTokenMs"), Number("prefillTokensPerSecond"), Number("decodeTokensPerSecond"), Number("rssMiB")) { PrivateMiB = memory.PeakMiB };
            })];
        }
    }
}
