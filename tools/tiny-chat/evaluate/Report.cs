using System.Globalization;
using System.Text;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tools.Evaluate;

/// <summary>What became of a case.</summary>
/// <param name="Case">Which.</param>
/// <param name="IsEnforced">With the grammar.</param>
/// <param name="Wrong">What was wrong; null where it passed.</param>
/// <param name="Transcript">What was said.</param>
internal sealed record Outcome(Case Case, bool IsEnforced, string? Wrong, string Transcript)
{
    public bool Passed => Wrong is null;

    /// <summary>Holds the conversation. What the client refuses is a failure of the case.</summary>
    public static async Task<Outcome> OfAsync(Case what, IChatClient client, bool isEnforced)
    {
        var dialogue = new Dialogue(client, isEnforced);
        string? wrong;
        try
        {
            wrong = await what.Run(dialogue);
        }
        catch (KvPrefetchException e)
        {
            wrong = e.Message;
        }

        return new Outcome(what, isEnforced, wrong, dialogue.Transcript());
    }
}

/// <summary>Tables for people.</summary>
internal static class Report
{
    /// <summary>Markdown: a line for each category.</summary>
    public static string Table(IReadOnlyList<Outcome> runs, bool[] ways, TimeSpan took, LlmEngine? engine)
    {
        var text = new StringBuilder();
        text.Append("| category | what | cases |");
        foreach (var isEnforced in ways)
        {
            text.Append(isEnforced ? " with grammar, % |" : " without, % |");
        }

        text.AppendLine(" bar, % |").Append("|---|---|---:|").Append(string.Concat(ways.Select(_ => "---:|"))).AppendLine("---:|");
        foreach (var category in Category.All)
        {
            var of = runs.Where(r => r.Case.Category == category.Name).ToList();
            if (of.Count > 0)
            {
                text.Append(CultureInfo.InvariantCulture, $"| {category.Name} | {category.What} | {of.Count / ways.Length} |");
                foreach (var isEnforced in ways)
                {
                    text.Append(CultureInfo.InvariantCulture, $" {Percent(of.Where(r => r.IsEnforced == isEnforced))} |");
                }

                text.AppendLine(category.Bar is { } bar ? string.Create(CultureInfo.InvariantCulture, $" {bar * 100:0} |") : " |");
            }
        }

        text.Append(CultureInfo.InvariantCulture, $"\n{runs.Count} conversations in {took.TotalSeconds:0} s");
        return engine is null ? text.AppendLine().ToString() : text.AppendLine(CultureInfo.InvariantCulture, $" on {engine.Stats.Backend}, {engine.Stats.Threads} threads.").ToString();
    }

    /// <summary>Every failure with its conversation, then the kinds by how often they failed.</summary>
    public static void Failures(IReadOnlyList<Outcome> runs, TextWriter output)
    {
        foreach (var run in runs.Where(r => !r.Passed))
        {
            output.WriteLine($"FAILED {run.Case.Category} / {run.Case.Kind} ({(run.IsEnforced ? "with grammar" : "without")}): {run.Wrong}");
            output.Write(run.Transcript);
        }

        output.WriteLine();
        foreach (var kind in runs.GroupBy(r => (r.Case.Category, r.Case.Kind, r.IsEnforced)).Where(g => g.Any(r => !r.Passed)))
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{kind.Key.Category} / {kind.Key.Kind} ({(kind.Key.IsEnforced ? "with grammar" : "without")}): {kind.Count(r => r.Passed)} of {kind.Count()}"));
        }

        output.WriteLine();
    }

    /// <summary>Every bar, in every way that was run.</summary>
    public static bool AllReached(IReadOnlyList<Outcome> runs) => runs.GroupBy(r => (r.Case.Category, r.IsEnforced))
        .All(g => Array.Find(Category.All, c => c.Name == g.Key.Category)!.Bar is not { } bar || g.Count(r => r.Passed) >= bar * g.Count());

    private static string Percent(IEnumerable<Outcome> runs)
    {
        var all = runs.ToList();
        return (100.0 * all.Count(r => r.Passed) / all.Count).ToString("0.0", CultureInfo.InvariantCulture);
    }
}
