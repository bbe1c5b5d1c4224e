// dotnet run --project benchmarks/Kernels -c Release -- [--threads N] [--output FILE] [--paired | --formats | --step DIR | BenchmarkDotNet's own options, such as --filter '*Linear*']
// --paired compares kinds of kernels within rounds, --formats kinds of weights; --step DIR takes decode steps of a model apart; the rest are BenchmarkDotNet's tables.
using System.Globalization;
using System.Text;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Order;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;
using KvPrefetch.Benchmarks;
using KvPrefetch.Benchmarks.Kernels;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Numerics;

var rest = new List<string>(args);
Run.Threads = int.Parse(Take("--threads") ?? Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
var repository = Machine.Repository();
var output = Take("--output") ?? Path.Combine(repository, "benchmarks", "results", "kernels.md");

if (rest.Contains("--paired") || rest.Contains("--formats"))
{
    // --formats alone: that table to the console, nothing written.
    var formats = PairedLinear.RunFormats(Run.Threads);
    if (!rest.Contains("--paired"))
    {
        return;
    }

    var table = PairedLinear.Run(Run.Threads) + $"\n## Weights quantised while loading\n\n{formats}\n## Packed weights\n\nSpeed beside bf16 in float32 arithmetic, [3072, 1536].\n\n{PairedPackings.Run(Run.Threads)}";
    File.WriteAllText(Take("--output") ?? output.Replace("kernels.md", "arithmetic.md", StringComparison.Ordinal),
        $"# Products by arithmetic and kernels\n\nbf16 weights of SmolLM2-135M; medians of rounds in which all kinds run in turn. {Run.Threads} threads.\n\n{table.ReplaceLineEndings("\n")}\n- Machine: {Machine.Describe()}\n- Commit: {Machine.Commit(repository)}\n- Command: `dotnet run --project benchmarks/Kernels -c Release -- {string.Join(' ', args)}`\n");
    return;
}

if (Take("--step") is { } model)
{
    var steps = new StringBuilder("# A decode step, verb by verb\n");
    foreach (var (context, arithmetic, cache) in ((int, Arithmetic, DType)[])[(512, Arithmetic.Exact, DType.F32), (512, Arithmetic.Fast, DType.F32), (4096, Arithmetic.Exact, DType.F32), (4096, Arithmetic.Exact, DType.BF16), (4096, Arithmetic.Exact, DType.I8)])
    {
        steps.Append('\n').Append(StepBreakdown.Run(model, Run.Threads, context, arithmetic, cache, 60));
    }

    steps.Append(CultureInfo.InvariantCulture, $"\n- Machine: {Machine.Describe()}\n- Commit: {Machine.Commit(repository)}\n- Command: `dotnet run --project benchmarks/Kernels -c Release -- {string.Join(' ', args)}`\n");
    File.WriteAllText(output.Replace("kernels.md", "step.md", StringComparison.Ordinal), steps.ToString());
    Console.WriteLine(steps);
    return;
}

var bandwidth = ReadBandwidth.Measure(Run.Threads);
ReadBandwidth.Release();
GC.Collect();

// In this process: the yardstick above is the same run's, and nothing is generated or restored.
var config = ManualConfig.CreateEmpty()
    .AddJob(Job.Default.WithToolchain(InProcessEmitToolchain.Instance).WithWarmupCount(3).WithIterationCount(8).WithIterationTime(TimeInterval.FromMilliseconds(250)))
    .AddLogger(ConsoleLogger.Default)
    .AddDiagnoser(MemoryDiagnoser.Default)
    .AddColumnProvider(DefaultColumnProviders.Descriptor, DefaultColumnProviders.Params, DefaultColumnProviders.Statistics, DefaultColumnProviders.Metrics)
    .AddColumn(
        new FigureColumn("GB/s", "bytes that must be read and written, per second (1 GB = 1e9 bytes)", (kernel, seconds) => kernel.Bytes / seconds / 1e9),
        new FigureColumn("of read %", "share of the bandwidth of a plain streaming read by the same threads in the same run", (kernel, seconds) => 100 * kernel.Bytes / seconds / 1e9 / bandwidth),
        new FigureColumn("GFLOP/s", "floating-point operations per second", (kernel, seconds) => kernel.Flops / seconds / 1e9))
    .WithArtifactsPath(Path.Combine(repository, "BenchmarkDotNet.Artifacts"))
    .WithOrderer(new DefaultOrderer(SummaryOrderPolicy.Declared))
    .WithSummaryStyle(SummaryStyle.Default.WithMaxParameterColumnWidth(40))
    .WithOptions(ConfigOptions.DisableLogFile);
var summaries = BenchmarkSwitcher.FromAssembly(typeof(Run).Assembly).Run(rest.Count == 0 ? ["--filter", "*"] : [.. rest], config);

var text = new StringBuilder("# Kernels\n\n");
foreach (var summary in summaries)
{
    var table = new AccumulationLogger();
    MarkdownExporter.GitHub.ExportToLog(summary, table);
    var lines = table.GetLog().ReplaceLineEndings("\n").Split('\n').Where(line => line.StartsWith('|')).Select(line => line.Replace("**", string.Empty, StringComparison.Ordinal));
    text.Append("## ").Append(summary.BenchmarksCases[0].Descriptor.Type.Name).Append("\n\n").AppendJoin('\n', lines).Append("\n\n");
}

text.Append(CultureInfo.InvariantCulture, $"- Plain streaming read by {Run.Threads} threads, same run: {bandwidth:F1} GB/s\n- Machine: {Machine.Describe()}\n- Commit: {Machine.Commit(repository)}\n");
text.Append(CultureInfo.InvariantCulture, $"- Command: `dotnet run --project benchmarks/Kernels -c Release -- {string.Join(' ', args)}`\n");
File.WriteAllText(output, text.ToString());
Console.WriteLine(text);

string? Take(string name)
{
    var at = rest.IndexOf(name);
    if (at < 0 || at + 1 >= rest.Count)
    {
        return null;
    }

    var value = rest[at + 1];
    rest.RemoveRange(at, 2);
    return value;
}

namespace KvPrefetch.Benchmarks.Kernels
{
    /// <summary>Settings of the whole run.</summary>
    internal static class Run
    {
        public static int Threads { get; set; }
    }
}
