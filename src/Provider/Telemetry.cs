using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using KvPrefetch.Engine;

namespace KvPrefetch.AI;

/// <summary>Meter and ActivitySource <c>KvPrefetch.AI</c>: what the engines of this process do. Chat spans are made by Microsoft.Extensions.AI's middleware.</summary>
internal static class Telemetry
{
    public const string Name = "KvPrefetch.AI";
    public const string ModelTag = "kvprefetch.model";

    public static readonly ActivitySource Source = new(Name);
    private static readonly Meter Meter = new(Name);

    /// <summary>Hosts whose engines are observed. Weak: a client that nobody disposes is not kept alive by being measured.</summary>
    private static readonly ConditionalWeakTable<EngineHost, object?> Hosts = [];

    private static readonly Histogram<double> QueueTime = Meter.CreateHistogram<double>("kvprefetch.request.queue_time", "s", "From submission to the first step that computed on the prompt.");
    private static readonly Histogram<double> TimeToFirstToken = Meter.CreateHistogram<double>("kvprefetch.request.time_to_first_token", "s", "From submission to the first token.");
    private static readonly Histogram<double> PrefillRate = Meter.CreateHistogram<double>("kvprefetch.request.prefill_rate", "{token}/s", "Prompt tokens of a request per second until its first token, those found in the cache not counted.");
    private static readonly Histogram<double> DecodeRate = Meter.CreateHistogram<double>("kvprefetch.request.decode_rate", "{token}/s", "Tokens of a request per second after its first.");
    private static readonly Counter<long> PrefixHitTokens = Meter.CreateCounter<long>("kvprefetch.prefix_cache.hit_tokens", "{token}", "Prompt tokens whose keys and values were found in the cache.");

    static Telemetry()
    {
        Gauge("kvprefetch.kv.pages.used", "{page}", "Pages of the key-value cache that requests hold.", s => s.PagesUsed);
        Gauge("kvprefetch.kv.pages.free", "{page}", "Pages of the key-value cache that are free.", s => s.PagesTotal - s.PagesUsed);
        Gauge("kvprefetch.requests.running", "{request}", "Requests in the batch.", s => s.RunningSequences);
        Gauge("kvprefetch.requests.waiting", "{request}", "Requests in the queue.", s => s.WaitingSequences);
        Gauge("kvprefetch.batch.size", "{request}", "Requests that the last step computed on.", s => s.BatchSequences);
        Total("kvprefetch.tokens.prompt", "{token}", "Prompt tokens computed.", s => s.PromptTokens);
        Total("kvprefetch.tokens.generated", "{token}", "Tokens generated.", s => s.GeneratedTokens);
        Total("kvprefetch.preemptions", "{preemption}", "Requests put back into the queue to make room.", s => s.Preemptions);
    }

    public static void Observe(EngineHost host) => Hosts.AddOrUpdate(host, null);

    /// <summary>Adds one finished or abandoned request.</summary>
    public static void Record(Generation generation, string modelId)
    {
        var tag = new KeyValuePair<string, object?>(ModelTag, modelId);
        if (generation.CachedPromptTokens > 0)
        {
            PrefixHitTokens.Add(generation.CachedPromptTokens, tag);
        }

        if (generation.QueueTime is { } queued)
        {
            QueueTime.Record(queued.TotalSeconds, tag);
        }

        if (generation.TimeToFirstToken is not { } first)
        {
            return;
        }

        TimeToFirstToken.Record(first.TotalSeconds, tag);
        if (first > TimeSpan.Zero)
        {
            PrefillRate.Record((generation.PromptTokens - generation.CachedPromptTokens) / first.TotalSeconds, tag);
        }

        if (generation.GeneratedTokens > 1 && generation.DecodeTime > TimeSpan.Zero)
        {
            DecodeRate.Record((generation.GeneratedTokens - 1) / generation.DecodeTime.TotalSeconds, tag);
        }
    }

    private static void Gauge(string name, string unit, string description, Func<EngineStats, int> value) =>
        Meter.CreateObservableGauge(name, () => Measure(value), unit, description);

    private static void Total(string name, string unit, string description, Func<EngineStats, long> value) =>
        Meter.CreateObservableCounter(name, () => Measure(value), unit, description);

    private static List<Measurement<T>> Measure<T>(Func<EngineStats, T> value)
        where T : struct
    {
        var measurements = new List<Measurement<T>>();
        var seen = new HashSet<LlmEngine>(ReferenceEqualityComparer.Instance);
        foreach (var (host, _) in Hosts)
        {
            if (!host.IsDisposed && host.Engine is { } engine && seen.Add(engine))
            {
                measurements.Add(new(value(engine.Stats), new KeyValuePair<string, object?>(ModelTag, host.ModelId)));
            }
        }

        return measurements;
    }
}
