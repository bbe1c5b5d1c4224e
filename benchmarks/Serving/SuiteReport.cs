using System.Globalization;
using System.Text;

namespace KvPrefetch.Benchmarks.Serving;

/// <summary>The suite's figures as markdown and as a plot.</summary>
internal static class SuiteReport
{
    private static readonly string[] Programs = [.. Suite.Ours.Select(o => o.Name), Suite.IkBf16, Suite.IkQ4, Suite.NodeBf16, Suite.NodeQ4];

    public static string Write(Settings settings, Samples samples, string command, string commit)
    {
        var text = new StringBuilder("# Serving on the processor\n\n");
        text.Append(Invariant($"{Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(settings.Model)))}, {settings.Threads} threads, greedy. Medians of {settings.Rounds} rounds in which all programs run in turn; ratios within a round, then their median (smallest to largest).\n"));
        text.Append("ik_llama.cpp by its own llama-bench (`-rtr 1 -gp context,64`) and llama-cli; node-llama-cpp by a script that gives it the same tokens.\n\n## Against the bars\n\n| what | ours | theirs | ratio | bar |\n|---|---:|---:|---:|---:|\n");
        string exact = Suite.Ours[0].Name, fast = Suite.Ours[1].Name, int8 = Suite.Ours[2].Name, int4 = Suite.Ours[3].Name;
        foreach (var ours in (string[])[exact, fast])
        {
            Bar("decode at 16", ours, Suite.IkBf16, "decode", 16, ">= 1.0");
            Bar("decode at 512", ours, Suite.IkBf16, "decode", 512, ">= 1.0");
            Bar("decode at 4096", ours, Suite.IkBf16, "decode", 4096, ">= 1.5");
            Bar("prefill of 512", ours, Suite.IkBf16, "prefill", 512, ">= 1.0");
        }

        Bar("decode at 16", int4, Suite.IkQ4, "decode", 16, ">= 1.0");
        Bar("decode at 512", int4, Suite.IkQ4, "decode", 512, ">= 1.0");
        Bar("prefill of 512", int8, Suite.IkQ4, "prefill", 512, ">= 1.2");
        Bar("prefill of 512", int4, Suite.IkQ4, "prefill", 512, ">= 1.2");
        foreach (var ours in (string[])[exact, fast])
        {
            Bar("16 sequences, all together", ours, Suite.NodeBf16, "many", 16, ">= 2.0");
            Bar("decode at 512", ours, Suite.NodeBf16, "decode", 512, ">= 1.5");
            Bar("prefill of 512", ours, Suite.NodeBf16, "prefill", 512, ">= 1.5");
        }

        Bar("decode at 512", int4, Suite.NodeQ4, "decode", 512, ">= 1.5");
        Bar("prefill of 512", int4, Suite.NodeQ4, "prefill", 512, ">= 1.5");
        Bar(Invariant($"process start to first token, {Suite.StartPrompt}-token prompt, ms"), exact, Suite.IkBf16, "start", 0, "<= 1.0");
        Bar(Invariant($"process start to first token, {Suite.StartPrompt}-token prompt, ms"), fast, Suite.IkBf16, "start", 0, "<= 1.0");
        Bar(Invariant($"peak memory beyond mapped files at {Suite.MemoryContext}, MiB"), exact, Suite.NodeBf16, "memory", 0, "<= 0.8");

        var bytes = WeightBytes.PerToken(settings.Model) / 1e9;
        var read = samples.Of("read", "GB/s");
        text.Append("\n## Decode's read of weights as a share of a plain read by the same threads, %\n\n| program | 16 | 512 |\n|---|---:|---:|\n");
        foreach (var program in (string[])[exact, fast, Suite.IkBf16, Suite.NodeBf16])
        {
            text.Append(Invariant($"| {program} | {Cell(100 * bytes * samples.Of(program, "decode", 16) / read)} | {Cell(100 * bytes * samples.Of(program, "decode", 512) / read)} |\n"));
        }

        Table("Decode, tokens/s, by context", "decode", settings.SuiteContexts);
        Table("Prefill, tokens/s, by prompt", "prefill", settings.SuiteContexts);
        Table(Invariant($"Decode of several sequences ({Suite.ManyPrompt}-token prompts), tokens/s of all"), "many", settings.SuiteSequences);
        text.Append(Invariant($"\n## Start and memory\n\n| program | process start to first token, ms | peak memory beyond mapped files, MiB |\n|---|---:|---:|\n"));
        foreach (var program in Programs)
        {
            text.Append(Invariant($"| {program} | {Cell(samples.Of(program, "start"))} | {Cell(samples.Of(program, "memory"))} |\n"));
        }

        text.Append(Invariant($"\n- Plain streaming read by the same threads, same run: {read:F1} GB/s; weights read per token: {bytes * 1000:F1} MB as stored.\n"));
        text.Append("- node-llama-cpp's start is its load and first token, without the start of node.\n");
        text.Append(Invariant($"- Machine: {Machine.Describe()}\n- Commit: {commit}\n- Command: `{command}`\n"));
        return text.ToString();

        void Bar(string what, string ours, string theirs, string measure, int at, string bar)
        {
            var ratios = samples.Ratios(ours, theirs, measure, at);
            if (ratios.Length > 0)
            {
                text.Append(Invariant($"| {what}: {ours} / {theirs} | {samples.Of(ours, measure, at):F1} | {samples.Of(theirs, measure, at):F1} | {Statistics.Median(ratios):F2} ({ratios.Min():F2} to {ratios.Max():F2}) | {bar} |\n"));
            }
        }

        void Table(string name, string measure, int[] places)
        {
            text.Append(Invariant($"\n## {name}\n\n| program | {string.Join(" | ", places)} |\n|---|{string.Concat(Enumerable.Repeat("---:|", places.Length))}\n"));
            foreach (var program in Programs.Where(p => places.Any(at => !double.IsNaN(samples.Of(p, measure, at)))))
            {
                text.Append(Invariant($"| {program} | {string.Join(" | ", places.Select(at => Cell(samples.Of(program, measure, at))))} |\n"));
            }
        }
    }

    public static void Draw(string path, Settings settings, Samples samples, string commit)
    {
        var plot = new Plot(Invariant($"{Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(settings.Model)))} on {settings.Threads} cores, the same weights"), 2);
        Lines("decode, tokens/s", "context", "decode", settings.SuiteContexts);
        Lines("prefill, tokens/s", "prompt", "prefill", settings.SuiteContexts);
        Lines(Invariant($"decode of several sequences, tokens/s of all"), "sequences", "many", settings.SuiteSequences);
        Bars("process start to first token, ms", " ms", "start");
        Bars(Invariant($"peak memory beyond mapped files at a context of {Suite.MemoryContext}, MiB"), " MiB", "memory");
        plot.Save(path, $"{Machine.Describe()}; commit {commit}");

        void Lines(string name, string axis, string measure, int[] places) =>
            plot.Lines(name, axis, [.. places.Select(p => (double)p)],
                [.. Present(measure, places).Select(p => (p, places.Select(at => samples.Of(p, measure, at)).ToArray()))], logX: true);

        void Bars(string name, string unit, string measure) =>
            plot.Bars(name, unit, Programs, [.. Present(measure, [0]).Select(p => (p, Programs.Select(q => q == p ? samples.Of(p, measure) : double.NaN).ToArray()))]);

        IEnumerable<string> Present(string measure, int[] places) => Programs.Where(p => places.Any(at => !double.IsNaN(samples.Of(p, measure, at))));
    }

    private static string Cell(double value) => double.IsNaN(value) ? "" : Invariant($"{value:F1}");

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
