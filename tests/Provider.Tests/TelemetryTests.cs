using System.Diagnostics;
using System.Diagnostics.Metrics;
using KvPrefetch.AI;

namespace KvPrefetch.Tests.Provider;

public sealed class TelemetryTests
{
    [Fact]
    public async Task The_meter_tells_what_the_engine_does()
    {
        using var model = TinyModel.Create(new() { EndsItself = false });
        var name = "telemetry-" + Guid.NewGuid().ToString("N");
        var options = Chat.Options(model);
        options.ModelId = name;
        var seen = new Dictionary<string, List<double>>(StringComparer.Ordinal);
        void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            foreach (var tag in tags)
            {
                if (tag.Key == "kvprefetch.model" && tag.Value is string id && id == name)
                {
                    lock (seen)
                    {
                        (seen.TryGetValue(instrument.Name, out var values) ? values : seen[instrument.Name] = []).Add(value);
                    }
                }
            }
        }

        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == "KvPrefetch.AI")
            {
                l.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<int>((i, v, tags, _) => Record(i, v, tags));
        listener.SetMeasurementEventCallback<long>((i, v, tags, _) => Record(i, v, tags));
        listener.SetMeasurementEventCallback<double>((i, v, tags, _) => Record(i, v, tags));
        listener.Start();

        using var client = new KvPrefetchChatClient(options);
        listener.RecordObservableInstruments();
        Assert.Empty(seen);

        var usage = (await client.GetResponseAsync(Chat.User("Hello"), Chat.Greedy(20))).Usage!;
        await Chat.StartedAsync(client.GetStreamingResponseAsync(Chat.User("Hello"), Chat.Greedy(400)));
        listener.RecordObservableInstruments();
        Assert.Equal((double)(usage.InputTokenCount!.Value * 2), seen["kvprefetch.tokens.prompt"][^1]);
        Assert.True(seen["kvprefetch.tokens.generated"][^1] >= 21);
        Assert.True(seen["kvprefetch.kv.pages.free"][^1] > 0);
        Assert.Equal(0, seen["kvprefetch.preemptions"][^1]);
        Assert.All(new[] { "kvprefetch.kv.pages.used", "kvprefetch.requests.running", "kvprefetch.requests.waiting", "kvprefetch.batch.size" }, instrument => Assert.Single(seen[instrument]));
        Assert.True(Assert.Single(seen["kvprefetch.request.queue_time"]) is var queued and >= 0 && queued < seen["kvprefetch.request.time_to_first_token"][0]);
        Assert.True(Assert.Single(seen["kvprefetch.request.time_to_first_token"]) > 0);
        Assert.True(Assert.Single(seen["kvprefetch.request.prefill_rate"]) > 0);
        Assert.True(Assert.Single(seen["kvprefetch.request.decode_rate"]) > 0);

        client.Dispose();
        seen.Clear();
        listener.RecordObservableInstruments();
        Assert.Empty(seen);
    }

    [Fact]
    public async Task Loading_is_an_activity_and_a_chat_is_none_of_ours()
    {
        using var model = TinyModel.Create();
        var name = "activity-" + Guid.NewGuid().ToString("N");
        var options = Chat.Options(model);
        options.ModelId = name;
        var stopped = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "KvPrefetch.AI",
            Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                lock (stopped)
                {
                    stopped.Add(activity);
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        using var client = new KvPrefetchChatClient(options);
        await client.GetResponseAsync(Chat.User("Hello"), Chat.Greedy(2));
        lock (stopped)
        {
            Assert.Equal("kvprefetch.load", Assert.Single(stopped, a => a.GetTagItem("kvprefetch.model") is string id && id == name).OperationName);
        }
    }
}
