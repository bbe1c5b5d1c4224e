// Real JSON schemas as constraints, on one core: ConstraintsBenchmark TOKENIZER-FOLDER maskbench.jsonl.gz [--every N] [--from N] [--rounds N] [--out FILE.md]
// With --walks N FILE.jsonl instead: N texts drawn at random under each schema's masks, for tools/constraints/check-walks.mjs.
// With --jump-ahead MODEL-FOLDER [--rounds N] [--threads N] and nothing else: what forced text, log-probabilities and known prompts cost or spare that model.
// With --decode MODEL-FOLDER [--rounds N] [--threads N] and nothing else: what a schema costs that model token by token.
// With --check N instead: one in N masks is compared with what trying every token of the vocabulary gives.
// --only NAME,NAME takes these schemas alone; --slow N FILE writes the N slowest masks with the text before them; --cpu-time measures what the processor gave this thread, for a machine that others use too.
// Each schema is compiled anew in every round, with a tokenizer of the round's own, and its instances are followed token by token; of each mask, the best time of the rounds counts: on a machine that others use too, the rest is theirs.
using System.Diagnostics;
using System.IO.Compression;
using System.Text.Json;
using KvPrefetch.Benchmarks;
using KvPrefetch.Benchmarks.Constraints;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Engine.Text.Tokenization;
using Machine = KvPrefetch.Benchmarks.Machine;

if (args is ["--jump-ahead", var model, ..])
{
    Console.WriteLine($"Command: ConstraintsBenchmark {string.Join(' ', args.Select(Path.GetFileName))}; {Machine.Describe()}; commit {Machine.Commit(Machine.Repository())}\n");
    Console.WriteLine(await JumpAhead.RunAsync(model, Option("--rounds", 9), Option("--threads", 1)));
    return 0;
}

if (args is ["--decode", var decoding, ..])
{
    Console.WriteLine($"Command: ConstraintsBenchmark {string.Join(' ', args.Select(Path.GetFileName))}; {Machine.Describe()}; commit {Machine.Commit(Machine.Repository())}\n");
    Console.WriteLine(await DecodeCost.RunAsync(decoding, Option("--rounds", 9), Option("--threads", 1)));
    return 0;
}

if (args.Length < 2)
{
    Console.Error.WriteLine("ConstraintsBenchmark TOKENIZER-FOLDER maskbench.jsonl.gz [--every N] [--from N] [--rounds N] [--only NAMES] [--slow N FILE] [--cpu-time] [--out FILE.md]");
    return 2;
}

int Option(string name, int otherwise) => Array.IndexOf(args, name) is >= 0 and var at ? int.Parse(args[at + 1], System.Globalization.CultureInfo.InvariantCulture) : otherwise;
var (every, from, rounds) = (Option("--every", 1), Option("--from", 0), Option("--rounds", 2));
var only = Array.IndexOf(args, "--only") is >= 0 and var named ? args[named + 1].Split(',') : null;
var tokenizer = Tokenizer.Load(args[0]);
Clock.OfThread = Array.IndexOf(args, "--cpu-time") >= 0;
var report = new Report();
var clock = Stopwatch.StartNew();
var walking = Array.IndexOf(args, "--walks");
using var drawn = walking < 0 ? TextWriter.Null : new StreamWriter(args[walking + 2]);
var walks = walking < 0 ? null : new Walks(tokenizer, Option("--walks", 1), drawn);
var check = Array.IndexOf(args, "--check") < 0 ? null : new MaskCheck(tokenizer, Option("--check", 1));
SchemaRun.WarmUp(tokenizer);
for (var round = 0; round < (walks is null && check is null ? rounds : 1); round++)
{
    if (round > 0)
    {
        tokenizer = Tokenizer.Load(args[0]);
        _ = Grammar.AnyJson().Start(tokenizer);
    }

    using var file = new StreamReader(new GZipStream(File.OpenRead(args[1]), CompressionMode.Decompress));
    var taken = 0;
    for (var i = 0; file.ReadLine() is { } line; i++)
    {
        if (i % every != from)
        {
            continue;
        }

        using var json = JsonDocument.Parse(line, new JsonDocumentOptions { MaxDepth = 256 });
        if (only is not null && !only.Contains(json.RootElement.GetProperty("name").GetString()!, StringComparer.Ordinal))
        {
            continue;
        }

        if (check is not null)
        {
            check.Add(json.RootElement);
        }
        else if (walks is null)
        {
            report.Add(SchemaRun.Measure(json.RootElement, tokenizer), taken++);
        }
        else
        {
            walks.Add(json.RootElement, i);
        }
    }
}

if (walks is not null || check is not null)
{
    Console.WriteLine(walks?.ToString() ?? check?.ToString());
    return 0;
}

var text = report.Write($"ConstraintsBenchmark {Path.GetFileName(args[0])} {Path.GetFileName(args[1])}" + string.Concat(args.Skip(2).TakeWhile(a => a != "--out").Select(a => " " + a)), Machine.Describe(), Machine.Commit(Machine.Repository()), clock.Elapsed);
Console.WriteLine(text);
if (Array.IndexOf(args, "--slow") is >= 0 and var slow)
{
    File.WriteAllText(args[slow + 2], report.Slowest(Option("--slow", 100), tokenizer));
}

if (Array.IndexOf(args, "--out") is >= 0 and var index)
{
    // What another program wrote below stays (tools/constraints/check-walks.mjs).
    const string walksHeading = "## Random walks\n";
    var kept = File.Exists(args[index + 1]) && File.ReadAllText(args[index + 1]) is var old && old.IndexOf(walksHeading, StringComparison.Ordinal) is >= 0 and var at ? "\n" + old[at..] : "";
    File.WriteAllText(args[index + 1], text + kept);
    report.Plot(Path.ChangeExtension(args[index + 1], ".svg"), Machine.Describe(), Machine.Commit(Machine.Repository()));
}

return 0;
