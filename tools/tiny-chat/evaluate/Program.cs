// Measures the embedded model through IChatClient, with its tools and formats: every category once with the grammar enforcing and once without. Greedy.
//   dotnet run --project tools/tiny-chat/evaluate -c Release -- [--model DIR] [--category NAME] [--plain | --enforced] [--verbose] [--markdown FILE]
// Prints the table of the model card. --verbose prints what failed. Exit code: 0 where every bar is reached, 1 where one is missed, 2 for wrong options.
using System.Diagnostics;
using KvPrefetch.AI;
using KvPrefetch.Engine;
using KvPrefetch.Tools.Evaluate;
using Microsoft.Extensions.Options;

string? Option(string name) => Array.IndexOf(args, name) is var at and >= 0 && at + 1 < args.Length ? args[at + 1] : null;
bool Given(string name) => Array.IndexOf(args, name) >= 0;

var cases = Category.Cases().Where(c => Option("--category") is not { } only || c.Category == only).ToList();
if (cases.Count == 0)
{
    await Console.Error.WriteLineAsync($"--category can be: {string.Join(", ", Category.All.Select(c => c.Name))}.");
    return 2;
}

try
{
    using var client = new KvPrefetchChatClient(new KvPrefetchOptions { Model = Option("--model") ?? TinyChatModel.Name, MaxQueue = cases.Count });
    await client.LoadAsync();
    var since = Stopwatch.GetTimestamp();
    bool[] ways = Given("--plain") ? [false] : Given("--enforced") ? [true] : [true, false];
    var runs = new List<Outcome>();
    foreach (var isEnforced in ways)
    {
        runs.AddRange(await Task.WhenAll(cases.Select(c => Outcome.OfAsync(c, client, isEnforced))));
    }

    if (Given("--verbose"))
    {
        Report.Failures(runs, Console.Out);
    }

    var table = Report.Table(runs, ways, Stopwatch.GetElapsedTime(since), client.GetService(typeof(LlmEngine)) as LlmEngine);
    Console.Write(table);
    if (Option("--markdown") is { } file)
    {
        await File.WriteAllTextAsync(file, table);
    }

    return Report.AllReached(runs) ? 0 : 1;
}
catch (Exception e) when (e is OptionsValidationException or KvPrefetchException)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 2;
}
