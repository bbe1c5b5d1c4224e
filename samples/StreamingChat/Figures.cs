using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using KvPrefetch.Engine;

namespace KvPrefetch.Samples.StreamingChat;

/// <summary>What an answer took. Times in milliseconds; the first token is counted from the question.</summary>
internal sealed record Figures(EngineStats Engine, long PromptTokens, long GeneratedTokens, TimeSpan FirstToken, TimeSpan Decode)
{
    private double PrefillTokensPerSecond => FirstToken > TimeSpan.Zero ? PromptTokens / FirstToken.TotalSeconds : 0;

    /// <summary>Tokens after the first, over the time they took.</summary>
    private double DecodeTokensPerSecond => GeneratedTokens > 1 && Decode > TimeSpan.Zero ? (GeneratedTokens - 1) / Decode.TotalSeconds : 0;

    public string ToLine() => string.Create(CultureInfo.InvariantCulture,
        $"{PromptTokens} prompt + {GeneratedTokens} generated tokens, first token after {FirstToken.TotalMilliseconds:F0} ms, {DecodeTokensPerSecond:F1} tokens/s");

    public string ToJson()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("promptTokens", PromptTokens);
            json.WriteNumber("generatedTokens", GeneratedTokens);
            json.WriteNumber("loadMs", Math.Round(Engine.LoadTime.TotalMilliseconds, 1));
            json.WriteNumber("firstTokenMs", Math.Round(FirstToken.TotalMilliseconds, 1));
            json.WriteNumber("prefillTokensPerSecond", Math.Round(PrefillTokensPerSecond, 1));
            json.WriteNumber("decodeTokensPerSecond", Math.Round(DecodeTokensPerSecond, 1));
            json.WriteNumber("peakMemoryMiB", Math.Round(PeakMemoryBytes() / (1024.0 * 1024.0)));
            json.WriteString("backend", Engine.Backend);
            json.WriteNumber("threads", Engine.Threads);
            if (Engine.Device is { } device)
            {
                json.WriteString("device", device.Name);
                json.WriteNumber("deviceMemoryMiB", Math.Round(device.MemoryBytes / (1024.0 * 1024.0)));
                json.WriteNumber("deviceFreeMiB", Math.Round(device.FreeBytes / (1024.0 * 1024.0)));
                json.WriteNumber("weightMiB", Math.Round(device.WeightBytes / (1024.0 * 1024.0)));
                json.WriteNumber("kvCacheMiB", Math.Round(Engine.KvCacheBytes / (1024.0 * 1024.0)));
                json.WriteNumber("graphs", device.Graphs);
                json.WriteNumber("compiledKernels", device.CompiledKernels);
                json.WriteNumber("translatedKernels", device.TranslatedKernels);
                json.WriteString("prefetch", device.Prefetch.ToString().ToLowerInvariant());
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static long PeakMemoryBytes()
    {
        using var process = Process.GetCurrentProcess();
        return Math.Max(process.PeakWorkingSet64, process.WorkingSet64);
    }
}
