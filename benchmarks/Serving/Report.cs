using System.Globalization;
using System.Text;

namespace KvPrefetch.Benchmarks.Serving;

/// <summary>One round: both programs and the yardstick, one after the other.</summary>
internal sealed record Round(double ReadGigabytesPerSecond, double ColdStartMs, Figures Ours, Figures? Peer);

/// <summary>The rounds as a table. Ratios are taken within each round and then their median: what drifts, drifts for both.</summary>
internal static class Report
{
    public static string Write(Settings settings, IReadOnlyList<Round> rounds, string command, string commit)
    {
        var bytes = WeightBytes.PerToken(settings.Model);
        bytes = settings.Weights switch { "int8" => bytes * 17 / 32, "int4" => bytes * 5 / 16, _ => bytes };    // 8.5 and 5 bits instead of 16; the peer's forms are its own
        var text = new StringBuilder();
        text.Append(Invariant($"# Serving: {Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(settings.Model)))}\n\n"));
        text.Append(Invariant($"{settings.PromptTokens}-token prompt, {settings.NewTokens} new tokens, greedy, {settings.Sequences} request(s) at once, {settings.Threads} threads, arithmetic {settings.Arithmetic}, weights {settings.Weights}; "));
        text.Append(Invariant($"medians of {rounds.Count} rounds of {settings.Repeat} repetitions, both programs in turn (ratio: median over the rounds, smallest to largest).\n\n"));
        text.Append($"| what | KvPrefetch.AI | {(settings.Ik is null ? "llama.cpp" : "ik_llama.cpp")} | ratio |\n|---|---:|---:|---:|\n");
        Row("decode, tokens/s", round => round.Ours.DecodeTokensPerSecond, round => round.Peer?.DecodeTokensPerSecond);
        Row("prefill, tokens/s", round => round.Ours.PrefillTokensPerSecond, round => round.Peer?.PrefillTokensPerSecond);
        Row("load, ms", round => round.Ours.LoadMs!.Value, round => round.Peer?.LoadMs);
        Row("first token of a loaded model, ms", round => round.Ours.FirstTokenMs, round => round.Peer?.FirstTokenMs);
        Row("cold: process start to first token (peer: load + first token), ms", round => round.ColdStartMs, round => round.Peer?.LoadMs + round.Peer?.FirstTokenMs);
        Row("peak memory (peer: resident at the end), MiB", round => round.Ours.MemoryMiB!.Value, round => round.Peer?.MemoryMiB);
        Row("decode's read of weights, share of the read bandwidth, %",
            round => Share(round, round.Ours.DecodeTokensPerSecond), round => round.Peer is { } peer && settings.Weights == "as-stored" ? Share(round, peer.DecodeTokensPerSecond) : null);
        text.Append(Invariant($"\n- Plain streaming read by the same threads, same run: {Statistics.Median([.. rounds.Select(round => round.ReadGigabytesPerSecond)]):F1} GB/s; "));
        text.Append(Invariant($"weights read per token: {bytes / 1e6:F1} MB.\n"));
        text.Append(Invariant($"- Machine: {Machine.Describe()}\n- Commit: {commit}\n- Command: `{command}`\n"));
        return text.ToString();

        double Share(Round round, double tokensPerSecond) => 100 * tokensPerSecond / settings.Sequences * bytes / 1e9 / round.ReadGigabytesPerSecond;

        void Row(string what, Func<Round, double> ours, Func<Round, double?> peer)
        {
            var our = Statistics.Median([.. rounds.Select(ours)]);
            var peers = rounds.Select(peer).OfType<double>().ToArray();
            if (peers.Length == 0)
            {
                text.Append(Invariant($"| {what} | {our:F1} | | |\n"));
                return;
            }

            var ratios = rounds.Select(round => ours(round) / peer(round)!.Value).ToArray();
            text.Append(Invariant($"| {what} | {our:F1} | {Statistics.Median(peers):F1} | {Statistics.Median(ratios):F2} ({ratios.Min():F2} to {ratios.Max():F2}) |\n"));
        }
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
