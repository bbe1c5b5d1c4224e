using System.Globalization;
using System.Text;
using System.Text.Json;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Benchmarks.Constraints;

/// <summary>The figures of many schemas, as Markdown.</summary>
internal sealed class Report
{
    private readonly List<SchemaRun> _runs = [];

    /// <summary>Takes a schema's figures; those of a further round as the best of both.</summary>
    public void Add(SchemaRun run, int at)
    {
        if (at == _runs.Count)
        {
            _runs.Add(run);
        }
        else
        {
            _runs[at] = _runs[at].Best(run);
        }
    }

    public string Write(string command, string machine, string commit, TimeSpan elapsed)
    {
        var text = new StringBuilder();
        void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
        var done = _runs.Where(r => r.Error is null).ToArray();
        var masks = done.SelectMany(r => r.Masks).Order().ToArray();
        var compile = done.Select(r => r.CompileMs).Order().ToArray();
        var memory = done.Select(r => r.Memory / 1048576.0).Order().ToArray();
        Line($"# JSON schemas as constraints\n");
        Line($"`{command}` at {commit}, {elapsed.TotalMinutes:F0} min. {machine}. Written by the program.\n");
        Line($"Of each mask and each compilation the best of the rounds counts; every round begins with a new tokenizer and compiles anew: what a mask needs that was not there before is made within its time. llguidance's figures are those of issue 9, measured on another machine.\n");
        Line($"| what | llguidance | ours |\n|---|---|---|");
        var right = done.Count(r => r.WronglyAccepted.Count + r.WronglyRefused.Count == 0);
        Line($"| schemas with every instance answered right | 4,745 of 5,659 | {right:N0} of {_runs.Count:N0} |");
        Line($"| schemas refused | 903 | {_runs.Count - done.Length} |");
        Line($"| schemas with an invalid instance accepted | 0 | {done.Count(r => r.WronglyAccepted.Count > 0)} |");
        Line($"| schemas with a valid instance refused | | {done.Count(r => r.WronglyRefused.Count > 0)} |");
        Line($"| mask, µs: mean / p50 / p99 / p99.9 / worst, of {masks.Length:N0} | 29 / 13 / 323 / 1,107 / 18,457 | {masks.Average():F1} / {At(masks, .5):F1} / {At(masks, .99):F0} / {At(masks, .999):N0} / {masks[^1]:N0} |");
        Line($"| compile, ms: p50 / p99 / worst | 0.83 / 18 / | {At(compile, .5):F2} / {At(compile, .99):F1} / {compile[^1]:F0} |");
        Line($"| memory of a schema with what its instances made of it, MiB: p50 / p99 / worst | | {At(memory, .5):F2} / {At(memory, .99):F2} / {memory[^1]:F1} |");
        Line($"\n## Mask times\n\n![How slow one mask in so many is](constraints.svg)\n");
        double[] edges = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, double.MaxValue];
        var from = 0.0;
        text.Append("```\n");
        foreach (var edge in edges)
        {
            var count = masks.Count(m => m >= from && m < edge);
            Line($"{(edge == double.MaxValue ? ">= 5000" : "< " + edge.ToString(CultureInfo.InvariantCulture)),8} µs {count,9:N0} {new string('#', (int)Math.Ceiling(Math.Log2(count + 1) * 3))}");
            from = edge;
        }

        text.Append("```\n(Bars are logarithmic.)\n");
        Line($"\n## The ten schemas with the slowest masks\n\n| schema | worst mask, µs | mean, µs | compile, ms | memory, MiB |\n|---|---|---|---|---|");
        foreach (var run in Slowest())
        {
            Line($"| {run.Name} | {run.Masks.Max():N0} | {run.Masks.Average():F1} | {run.CompileMs:F1} | {run.Memory / 1048576.0:F2} |");
        }

        Line($"\n## The five slowest to compile, and the five largest\n");
        foreach (var run in done.OrderByDescending(r => r.CompileMs).Take(5))
        {
            Line($"- {run.Name}: {run.CompileMs:F1} ms, {run.Bytes:N0} bytes of schema");
        }

        foreach (var run in done.OrderByDescending(r => r.Memory).Take(5))
        {
            Line($"- {run.Name}: {run.Memory / 1048576.0:F1} MiB");
        }

        Line($"\n## Refused, and wrong\n");
        foreach (var run in _runs.Where(r => r.Error is not null))
        {
            Line($"- {run.Name}: {run.Error}");
        }

        foreach (var run in done.Where(r => r.WronglyAccepted.Count + r.WronglyRefused.Count > 0))
        {
            Line($"- {run.Name}: accepted though not valid: [{string.Join(", ", run.WronglyAccepted)}]; refused though valid: [{string.Join(", ", run.WronglyRefused)}]");
        }

        return text.ToString();
    }

    /// <summary>Times of masks as a picture: how slow one in so many is, and the ten schemas with the slowest.</summary>
    public void Plot(string path, string machine, string commit)
    {
        var masks = _runs.Where(r => r.Error is null).SelectMany(r => r.Masks).Order().ToArray();
        if (masks.Length == 0)
        {
            return;
        }

        double[] xs = [2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 100_000, masks.Length];
        double[] peer = [.. xs.Select(x => x switch { 2 => 13, 100 => 323, 1_000 => 1_107, _ => x == masks.Length ? 18_457 : double.NaN })];
        double[] bar = [.. xs.Select(x => x switch { 2 => 12, 100 => 250, 1_000 => 1_000, _ => x == masks.Length ? 5_000 : double.NaN })];
        var plot = new Plot("Masks under real JSON schemas", columns: 2);
        plot.Lines("one mask in so many takes longer, us", "masks", xs, [("ours", [.. xs.Select(x => Math.Max(0.1, At(masks, 1 - (1 / x))))]), ("llguidance 1.9.1, another machine", peer), ("asked for", bar)], logX: true, logY: true);
        plot.Bars("the ten schemas with the slowest masks", " us", ["slowest mask"], [.. Slowest().Select(r => (r.Name.Split("---")[^1], new[] { r.Masks.Max() }))]);
        plot.Save(path, $"{machine}, {commit}");
    }

    private IEnumerable<SchemaRun> Slowest() => _runs.Where(r => r.Error is null && r.Masks.Count > 0).OrderByDescending(r => r.Masks.Max()).Take(10);

    /// <summary>The slowest masks, one a line: microseconds, schema, instance, token, and the end of the text before it.</summary>
    public string Slowest(int count, Tokenizer tokenizer)
    {
        var all = _runs.Where(r => r.Error is null).SelectMany(r => Places(r).Zip(r.Masks, (place, time) => (Run: r, place.Text, place.Token, Time: time)));
        var lines = all.OrderByDescending(m => m.Time).Take(count).Select(m =>
        {
            var before = tokenizer.Decode(m.Run.Texts[m.Text].AsSpan(0, m.Token), skipSpecialTokens: false);
            return FormattableString.Invariant($"{m.Time:F0}\t{m.Run.Name}\t{m.Text}\t{m.Token}\t{JsonEncodedText.Encode(before[Math.Max(0, before.Length - 80)..])}");
        });
        return string.Join('\n', lines) + "\n";
    }

    private static IEnumerable<(int Text, int Token)> Places(SchemaRun run)
    {
        for (var text = 0; text < run.Texts.Length; text++)
        {
            for (var token = 0; token <= run.Texts[text].Length; token++)
            {
                yield return (text, token);
            }
        }
    }

    private static double At(double[] sorted, double share) => sorted.Length == 0 ? 0 : sorted[Math.Min(sorted.Length - 1, (int)(sorted.Length * share))];
}
