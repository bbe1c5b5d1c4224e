using KvPrefetch.Benchmarks;
using KvPrefetch.Benchmarks.Serving;

Settings settings;
try
{
    settings = Settings.Parse(args);
}
catch (FormatException wrong)
{
    Console.Error.WriteLine(wrong.Message);
    return 2;
}

if (settings.IsOurs)
{
    await Ours.RunAsync(settings);
    return 0;
}

var repository = Machine.Repository();
var results = Path.Combine(repository, "benchmarks", "results");
var command = "dotnet run --project benchmarks/Serving -c Release -- " + string.Join(' ', args);
if (settings.Suite)
{
    var samples = new Suite(settings, repository).Run();
    var cpu = Path.GetFullPath(settings.Output ?? Path.Combine(results, "cpu.md"));
    File.WriteAllText(cpu, SuiteReport.Write(settings, samples, command, Machine.Commit(repository)));
    SuiteReport.Draw(Path.ChangeExtension(cpu, ".svg"), settings, samples, Machine.Commit(repository));
    Console.WriteLine(File.ReadAllText(cpu));
    return 0;
}

var rounds = new List<Round>();
for (var i = 0; i < settings.Rounds; i++)
{
    var bandwidth = ReadBandwidth.Measure(settings.Threads);
    ReadBandwidth.Release();
    GC.Collect();
    var peerFirst = i % 2 == 1 && settings.Peer is not null ? Programs.RunPeer(settings) : null;
    var cold = Programs.RunColdStart(settings, repository);
    var ours = Programs.RunOurs(settings);
    var peer = peerFirst ?? (settings.Peer is null ? null : Programs.RunPeer(settings));
    rounds.Add(new Round(bandwidth, cold, ours, peer));
    Console.Error.WriteLine(FormattableString.Invariant(
        $"round {i + 1}: read {bandwidth:F1} GB/s; ours decode {ours.DecodeTokensPerSecond} prefill {ours.PrefillTokensPerSecond} cold {cold:F0} ms; peer decode {peer?.DecodeTokensPerSecond} prefill {peer?.PrefillTokensPerSecond}"));
}

var report = Report.Write(settings, rounds, command, Machine.Commit(repository));
var output = settings.Output ?? Path.Combine(results, "serving.md");
Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(output))!);
File.WriteAllText(output, report);
Console.WriteLine(report);
return 0;
