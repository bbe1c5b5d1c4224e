using KvPrefetch.AI;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace KvPrefetch.Tests.Provider;

/// <summary>Loading, warm-up with a host, and health.</summary>
public sealed class HostingTests : IDisposable
{
    private static readonly ChatMessage[] Hello = Chat.User("Hello");
    private readonly TinyModel _model = TinyModel.Create(new() { EndsItself = false, ContextLength = 2048 });

    private string Weights => Path.Combine(_model.Path, "model.safetensors");

    public void Dispose() => _model.Dispose();

    private IHost Build(Action<KvPrefetchOptions>? configure = null, Action<IServiceCollection>? services = null, string? key = null)
    {
        void Configure(KvPrefetchOptions o)
        {
            var tiny = Chat.Options(_model);
            (o.Model, o.ModelId, o.Threads, o.KvCacheBytes) = (tiny.Model, tiny.ModelId, tiny.Threads, tiny.KvCacheBytes);
            configure?.Invoke(o);
        }

        var builder = Host.CreateEmptyApplicationBuilder(new());
        _ = key is null ? builder.Services.AddKvPrefetchChatClient(Configure) : builder.Services.AddKvPrefetchChatClient(key, Configure);
        services?.Invoke(builder.Services);
        return builder.Build();
    }

    private static HealthCheckResult Health(IServiceProvider services, string name = "kvprefetch")
    {
        var registration = services.GetRequiredService<IOptions<HealthCheckServiceOptions>>().Value.Registrations.Single(r => r.Name == name);
        Assert.Contains("ready", registration.Tags);
        return registration.Factory(services).CheckHealthAsync(new HealthCheckContext { Registration = registration }).GetAwaiter().GetResult();
    }

    [Fact]
    public async Task The_host_starts_when_the_model_is_ready_and_its_end_frees_it()
    {
        var progress = new Recorder();
        using var log = new LogRecorder();
        var host = Build(services: s => s.AddSingleton<IProgress<ModelLoadProgress>>(progress).AddLogging(b => b.AddProvider(log)));
        var client = host.Services.GetRequiredService<KvPrefetchChatClient>();
        Assert.Equal(HealthStatus.Unhealthy, Health(host.Services).Status);
        Assert.Contains("not loaded yet", Health(host.Services).Description, StringComparison.Ordinal);
        await host.StartAsync();
        var engine = client.GetService<LlmEngine>();
        Assert.NotNull(engine);
        Assert.Equal(HealthStatus.Healthy, Health(host.Services).Status);
        Assert.NotEmpty(progress.Seen);
        Assert.All(progress.Seen.Zip(progress.Seen.Skip(1)), p => Assert.True(p.First.Fraction <= p.Second.Fraction));
        Assert.All(progress.Seen, p => Assert.InRange(p.Fraction, 0, 1));
        Assert.Contains(log.Lines, line => line.Contains("Model tiny: ready after", StringComparison.Ordinal));
        Assert.Equal(3, (await host.Services.GetRequiredService<IChatClient>().GetResponseAsync(Hello, Chat.Greedy(3))).Usage!.OutputTokenCount);
        await host.StopAsync();
        host.Dispose();
        Assert.Throws<ObjectDisposedException>(() => client.GetStreamingResponseAsync(Hello));
        Assert.Throws<ObjectDisposedException>(() => engine.Submit(new GenerationRequest { Prompt = new[] { 1 } }));
    }

    [Fact]
    public async Task A_model_that_cannot_be_loaded_stops_the_host_at_its_start_with_the_typed_error()
    {
        File.Delete(Weights);
        using var host = Build();
        var error = await Assert.ThrowsAnyAsync<KvPrefetchException>(() => host.StartAsync());
        Assert.Same(error, Health(host.Services).Exception);
    }

    [Fact]
    public async Task In_the_background_the_host_starts_at_once_and_health_tells_when_the_model_is_ready()
    {
        using var gate = new Gate();
        using var host = Build(o => o.WarmUp = WarmUpMode.Background, s => s.AddKeyedSingleton<IProgress<ModelLoadProgress>>("bg", gate), key: "bg");
        await host.StartAsync();
        gate.Reached.Wait(Chat.Patience);
        Assert.Equal(HealthStatus.Unhealthy, Health(host.Services, "kvprefetch:bg").Status);
        var request = host.Services.GetRequiredKeyedService<IChatClient>("bg").GetResponseAsync(Hello, Chat.Greedy(3));
        Assert.False(request.IsCompleted);
        gate.Open.Set();
        Assert.Equal(3, (await request.WaitAsync(Chat.Patience)).Usage!.OutputTokenCount);
        Assert.Equal(HealthStatus.Healthy, Health(host.Services, "kvprefetch:bg").Status);
        await host.StopAsync();
    }

    [Fact]
    public async Task A_background_load_that_fails_is_logged_and_in_the_health_and_the_next_request_tries_again()
    {
        var weights = File.ReadAllBytes(Weights);
        File.Delete(Weights);
        using var log = new LogRecorder();
        using var host = Build(o => o.WarmUp = WarmUpMode.Background, s => s.AddLogging(b => b.AddProvider(log)));
        await host.StartAsync();
        await Chat.EventuallyAsync(() => log.Lines.Any(line => line.Contains("Critical: Model tiny cannot be loaded", StringComparison.Ordinal)));
        Assert.Equal(HealthStatus.Unhealthy, Health(host.Services).Status);
        Assert.Contains("cannot be loaded", Health(host.Services).Description, StringComparison.Ordinal);
        var client = host.Services.GetRequiredService<IChatClient>();
        await Assert.ThrowsAnyAsync<KvPrefetchException>(() => client.GetResponseAsync(Hello, Chat.Greedy(3)));
        File.WriteAllBytes(Weights, weights);
        await client.GetResponseAsync(Hello, Chat.Greedy(3));
        Assert.Equal(HealthStatus.Healthy, Health(host.Services).Status);
    }

    [Fact]
    public async Task With_FirstRequest_the_host_loads_nothing()
    {
        using var host = Build(o => o.WarmUp = WarmUpMode.FirstRequest);
        await host.StartAsync();
        var client = host.Services.GetRequiredService<KvPrefetchChatClient>();
        Assert.Null(client.GetService<LlmEngine>());
        await client.GetResponseAsync(Hello, Chat.Greedy(3));
        Assert.NotNull(client.GetService<LlmEngine>());
    }

    [Fact]
    public async Task Health_is_Degraded_while_the_pages_are_used_up_and_Unhealthy_after_the_end()
    {
        // Room for little more than one sequence of the whole context.
        var host = Build(o => o.KvCacheBytes = 2 << 20);
        await host.StartAsync();
        var client = host.Services.GetRequiredService<KvPrefetchChatClient>();
        var engine = client.GetService<LlmEngine>()!;
        Assert.Equal(HealthStatus.Healthy, Health(host.Services).Status);
        var capacity = engine.Stats.PagesTotal;
        var streams = Enumerable.Range(0, 16).Select(_ => client.GetResponseAsync(Hello, Chat.Greedy(1500))).ToArray();
        var degraded = false;
        await Chat.EventuallyAsync(() => (degraded |= Health(host.Services).Status == HealthStatus.Degraded) || streams.All(s => s.IsCompleted));
        Assert.True(degraded, $"{engine.Stats.PagesUsed} of {capacity} pages");
        host.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => Task.WhenAll(streams)).WaitAsync(Chat.Patience);
    }

    [Fact]
    public async Task Several_callers_share_one_load_and_each_hears_of_its_progress()
    {
        using var client = new KvPrefetchChatClient(Chat.Options(_model));
        using var gate = new Gate();
        var second = new Recorder();
        var first = client.LoadAsync(gate);
        gate.Reached.Wait(Chat.Patience);
        var later = client.LoadAsync(second);
        using var source = new CancellationTokenSource();
        var impatient = client.LoadAsync(progress: null, source.Token);
        await source.CancelAsync();
        Assert.Equal(source.Token, (await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient)).CancellationToken);
        gate.Open.Set();
        await Task.WhenAll(first, later).WaitAsync(Chat.Patience);
        Assert.NotEmpty(second.Seen);
        Assert.Equal(gate.Seen[^1], second.Seen[^1]);
        await client.LoadAsync(new Recorder());
        await client.LoadAsync();
    }

    private class Recorder : IProgress<ModelLoadProgress>
    {
        public List<ModelLoadProgress> Seen { get; } = [];

        public virtual void Report(ModelLoadProgress value) => Seen.Add(value);
    }

    /// <summary>Holds the load at its first report until it is opened.</summary>
    private sealed class Gate : Recorder, IDisposable
    {
        public ManualResetEventSlim Reached { get; } = new();

        public ManualResetEventSlim Open { get; } = new();

        public override void Report(ModelLoadProgress value)
        {
            base.Report(value);
            Reached.Set();
            Open.Wait(Chat.Patience);
        }

        public void Dispose()
        {
            Reached.Dispose();
            Open.Dispose();
        }
    }

    private sealed class LogRecorder : ILoggerProvider, ILogger
    {
        private readonly List<string> _lines = [];

        public string[] Lines
        {
            get
            {
                lock (_lines)
                {
                    return [.. _lines];
                }
            }
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (_lines)
            {
                _lines.Add($"{logLevel}: {formatter(state, exception)}");
            }
        }

        public void Dispose()
        {
        }
    }
}
