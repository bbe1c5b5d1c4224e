using KvPrefetch.Benchmarks;
using KvPrefetch.Benchmarks.Gpu;

int Number(string name, int otherwise) => Array.IndexOf(args, name) is >= 0 and var at ? int.Parse(args[at + 1], System.Globalization.CultureInfo.InvariantCulture) : otherwise;
using var log = Array.IndexOf(args, "--output") is >= 0 and var f ? new StreamWriter(args[f + 1]) : Console.Out;
if (args.Contains("step", StringComparer.Ordinal))
{
    using (var described = new Card())
    {
        Describe(described);
    }

    StepFigures.Run(log, args.Contains("tune", StringComparer.Ordinal));
    return 0;
}

if (Array.IndexOf(args, "--make") is >= 0 and var make)
{
    StartFigures.Write(args[make + 1]);
    return 0;
}

if (Array.IndexOf(args, "--start") is >= 0 and var start)
{
    log.WriteLine(StartFigures.Header);
    await StartFigures.Run(args[start + 1], log);
    return 0;
}

if (Array.IndexOf(args, "--rates") is >= 0 and var rates)
{
    StartFigures.Rates(args[rates + 1], log);
    return 0;
}

if (args.Contains("prefill", StringComparer.Ordinal) || args.Contains("sampling", StringComparer.Ordinal))
{
    using (var described = new Card())
    {
        Describe(described);
    }

    if (args.Contains("prefill", StringComparer.Ordinal))
    {
        PrefillFigures.Run(log);
        log.WriteLine();
    }

    if (args.Contains("sampling", StringComparer.Ordinal))
    {
        SamplingFigures.Run(log);
    }

    return 0;
}

using var card = new Card();
if (args.Contains("compile-step", StringComparer.Ordinal))
{
    StepFigures.Compile(card, Number("--part", 0), Number("--parts", 1));
    return 0;
}

var plots = Array.IndexOf(args, "--plots") is >= 0 and var p ? args[p + 1] : null;
bool Asked(string what) => args.Contains(what, StringComparer.Ordinal);
var fine = true;
if (Asked("check"))
{
    fine = AttentionCheck.Run(card, log, Number("--seed", Environment.TickCount), Number("--part", 0), Number("--parts", 1));
}

if (Asked("check-linear"))
{
    fine &= LinearFigures.Check(card, log, Number("--seed", Environment.TickCount));
}

if (Asked("attention") || Asked("paper") || Asked("linear"))
{
    Describe(card);
}

if (Asked("attention"))
{
    AttentionFigures.Run(card, log, plots is null ? null : Path.Combine(plots, "attention-h200.svg"));
    log.WriteLine();
}

if (Asked("tune"))
{
    AttentionFigures.Tune(card, log);
}

if (Asked("paper"))
{
    AttentionFigures.Paper(card, log, plots is null ? null : Path.Combine(plots, "attention-h200-paper.svg"));
    log.WriteLine();
}

if (Asked("linear"))
{
    LinearFigures.Run(card, log);
}

return fine ? 0 : 1;

void Describe(Card on)
{
    log.WriteLine($"- Card: {on.Describe()}");
    log.WriteLine($"- Machine: {Machine.Describe()}");
    log.WriteLine($"- Commit: {Environment.GetEnvironmentVariable("KVPREFETCH_COMMIT") ?? Machine.Commit(Machine.Repository())}");
    log.WriteLine($"- Command: `dotnet run --project benchmarks/Gpu -c Release -- {string.Join(' ', args)}`");
    log.WriteLine();
}
