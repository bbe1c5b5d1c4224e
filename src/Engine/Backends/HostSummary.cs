using System.Runtime.InteropServices;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Backends;

/// <summary><see cref="IBackend.Summarise"/> over rows in host memory, naively: what the verb means.</summary>
internal static unsafe class HostSummary
{
    public static void Of(IBackend backend, Rows logits, LogitSummary summary, int rows)
    {
        var settings = new ReadOnlySpan<int>((int*)summary.Settings.Address, checked((int)summary.Settings.Length));
        var results = new Span<int>((int*)summary.Results.Address, checked((int)summary.Results.Length));
        for (var row = 0; row < rows; row++)
        {
            var setting = settings.Slice(row * LogitSummary.SettingLength, LogitSummary.SettingLength);
            var mask = setting[1] == 0 ? default : settings.Slice(setting[1], summary.MaskWords);
            Row(backend.Download(logits, row), BitConverter.Int32BitsToSingle(setting[0]), mask, results.Slice(row * LogitSummary.HeadLength, LogitSummary.HeadLength), results.Slice(summary.Body(row), summary.BodyLength));
        }
    }

    private static void Row(ReadOnlySpan<float> given, float scale, ReadOnlySpan<int> mask, Span<int> head, Span<int> body)
    {
        float[] logits = [.. given];
        for (var i = 0; i < logits.Length; i++)
        {
            logits[i] = mask.IsEmpty || ((mask[i >> 5] >> (i & 31)) & 1) != 0 ? logits[i] : float.NegativeInfinity;
        }

        var max = logits.Where(v => !float.IsNaN(v)).DefaultIfEmpty(float.NegativeInfinity).Max();
        head[0] = (logits.Any(float.IsNaN) ? LogitSummary.NotANumber : 0) | (float.IsPositiveInfinity(max) ? LogitSummary.Infinite : 0);
        head[1] = float.IsNegativeInfinity(max) ? -1 : Array.FindIndex(logits, v => v == max);
        head[2] = BitConverter.SingleToInt32Bits(max);
        head[3] = 0;
        if (scale == 0 || head[0] != 0 || head[1] < 0)
        {
            return;
        }

        int[] best = [.. Enumerable.Range(0, logits.Length).Where(i => !float.IsNegativeInfinity(logits[i])).OrderByDescending(i => logits[i] + 0f).ThenBy(i => i).Take(LogitSummary.Candidates)];
        head[3] = best.Length;
        for (var i = 0; i < best.Length; i++)
        {
            (body[i], body[LogitSummary.Candidates + i]) = (best[i], BitConverter.SingleToInt32Bits(logits[best[i]]));
        }

        var sums = MemoryMarshal.Cast<int, double>(body[(2 * LogitSummary.Candidates)..]);
        var weights = new float[SoftWeights.Run];
        for (var run = 0; run < sums.Length; run++)
        {
            var part = logits.AsSpan(run * SoftWeights.Run, Math.Min(SoftWeights.Run, logits.Length - (run * SoftWeights.Run)));
            SoftWeights.Exponentials(part, max, scale, weights);
            sums[run] = SoftWeights.Sum(weights.AsSpan(0, part.Length));
        }
    }
}
