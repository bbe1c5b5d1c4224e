using KvPrefetch.Engine;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace KvPrefetch.AI;

/// <summary>Loads a registered client's model with the host, as its <see cref="WarmUpMode"/> says.</summary>
/// <param name="services">Where the rest is found, once the host has validated its options.</param>
/// <param name="serviceKey">Key of the client; null for the one without.</param>
/// <param name="logger">Hears of each stage of loading.</param>
internal sealed partial class WarmUpService(IServiceProvider services, string? serviceKey, ILogger<WarmUpService> logger) : IHostedLifecycleService, IProgress<ModelLoadProgress>
{
    private readonly IProgress<ModelLoadProgress>? _progress =
        services.GetKeyedService<IProgress<ModelLoadProgress>>(serviceKey) ?? services.GetService<IProgress<ModelLoadProgress>>();

    private EngineHost? _engine;
    private string? _stage;

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        _engine = services.GetRequiredKeyedService<EngineHost>(serviceKey);
        switch (services.GetRequiredService<IOptionsMonitor<KvPrefetchOptions>>().Get(serviceKey).WarmUp)
        {
            case WarmUpMode.BeforeStart:
                await _engine.GetAsync(this, cancellationToken).ConfigureAwait(false);
                break;
            case WarmUpMode.Background:
                _ = LoadInBackgroundAsync(_engine);
                break;
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Logs each stage once and passes every report on.</summary>
    void IProgress<ModelLoadProgress>.Report(ModelLoadProgress value)
    {
        if (!string.Equals(Interlocked.Exchange(ref _stage, value.Stage), value.Stage, StringComparison.Ordinal))
        {
            LogProgress(_engine!.ModelId, value.Stage, (int)(value.Fraction * 100));
        }

        _progress?.Report(value);
    }

    private async Task LoadInBackgroundAsync(EngineHost engine)
    {
        try
        {
            await engine.GetAsync(this, CancellationToken.None).ConfigureAwait(false);
        }
        catch (ObjectDisposedException)
        {
            // The host stopped before the model was ready.
        }
        catch (Exception e)
        {
            // Nobody awaits this; the health check and the next request say it again.
            LogFailed(engine.ModelId, e);
        }
    }

    [LoggerMessage(LogLevel.Information, "Model {Model}: {Stage} ({Percent} %)")]
    private partial void LogProgress(string model, string stage, int percent);

    [LoggerMessage(LogLevel.Critical, "Model {Model} cannot be loaded")]
    private partial void LogFailed(string model, Exception error);
}
