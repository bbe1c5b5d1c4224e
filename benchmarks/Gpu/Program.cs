using KvPrefetch.Benchmarks;
using KvPrefetch.Benchmarks.Gpu;

var seed = Array.IndexOf(args, "--seed") is >= 0 and var s ? int.Parse(args[s + 1], System.Globalization.CultureInfo.InvariantCulture) : Environment.TickCount;
var only = Array.IndexOf(args, "--only") is >= 0 and var o ? int.Parse(args[o + 1], System.Globalization.CultureInfo.InvariantCulture) : -1;
using var card = new Card();
using var log = Array.IndexOf(args, "--output") is >= 0 and var f ? new StreamWriter(args[f + 1]) : Console.Out;
bool Asked(string what) => args.Contains(what, StringComparer.Ordinal);
var fine = true;
if (Asked("check"))
{
    fine = AttentionCheck.Run(card, log, seed, only);
}

if (Asked("attention") || Asked("paper"))
{
    log.WriteLine($"- Card: {card.Describe()}");
    log.WriteLine($"- Machine: {Machine.Describe()}");
    log.WriteLine($"- Commit: {Environment.GetEnvironmentVariable("KVPREFETCH_COMMIT") ?? Machine.Commit(Machine.Repository())}");
    log.WriteLine($"- Command: `dotnet run --project benchmarks/Gpu -c Release -- {string.Join(' ', args)}`");
    log.WriteLine();
}

if (Asked("attention"))
{
    AttentionFigures.Run(card, log, Asked("--quick"));
    log.WriteLine();
}

if (Asked("paper"))
{
    AttentionFigures.Paper(card, log);
}

return fine ? 0 : 1;
