using KvPrefetch.Engine;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace KvPrefetch.AI;

/// <summary>Loads a registered client's model with the host, as its <see cref="WarmUpMode"/> says.</summary>
internal sealed partial class WarmUpService(EngineHost engine, WarmUpMode mode, IProgress<ModelLoadProgress>? progress, ILogger<WarmUpService> logger)
    : IHostedLifecycleService, IProgress<ModelLoadProgress>
{
    private string? _stage;

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        switch (mode)
        {
            case WarmUpMode.BeforeStart:
                await engine.GetAsync(this, cancellationToken).ConfigureAwait(false);
                break;
            case WarmUpMode.Background:
                _ = LoadInBackgroundAsync();
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
            LogProgress(engine.ModelId, value.Stage, (int)(value.Fraction * 100));
        }

        progress?.Report(value);
    }

    private async Task LoadInBackgroundAsync()
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
