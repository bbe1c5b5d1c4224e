using KvPrefetch.Engine;
using Microsoft.Extensions.Logging;

namespace KvPrefetch.AI;

/// <summary>A loaded engine and how it writes conversations.</summary>
internal sealed record LoadedEngine(LlmEngine Engine, PromptFormat Format);

/// <summary>Holds one engine and loads it once, whoever asks first. Safe for concurrent use.</summary>
internal sealed partial class EngineHost : IDisposable
{
    private readonly KvPrefetchOptions? _options;
    private readonly bool _ownsEngine;
    private readonly ILogger _logger;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _disposal = new();
    private readonly CancellationToken _disposed;
    private readonly List<IProgress<ModelLoadProgress>> _observers = [];
    private Task<LoadedEngine>? _loading;
    private LoadedEngine? _loaded;
    private volatile bool _isDisposed;

    /// <summary>Loads the folder that the options name, when first asked. The options are copied.</summary>
    public EngineHost(KvPrefetchOptions options, ILogger logger)
    {
        KvPrefetchOptionsValidator.ThrowIfInvalid(options);
        _options = options.Copy();
        _ownsEngine = true;
        _logger = logger;
        _disposed = _disposal.Token;
        ModelId = _options.EffectiveModelId;
        Folder = _options.Folder;
        Telemetry.Observe(this);
    }

    /// <summary>Wraps an engine that is loaded already.</summary>
    public EngineHost(LlmEngine engine, bool ownsEngine, ILogger logger)
    {
        _ownsEngine = ownsEngine;
        _logger = logger;
        _disposed = _disposal.Token;
        ModelId = engine.Model.Id;
        _loaded = new LoadedEngine(engine, PromptFormat.For(engine, LogInformation));
        _loading = Task.FromResult(_loaded);
        Telemetry.Observe(this);
    }

    public string ModelId { get; }

    /// <summary>Full path of the model's folder; null where the engine was given.</summary>
    public string? Folder { get; }

    /// <summary>The engine once it is loaded.</summary>
    public LlmEngine? Engine => Volatile.Read(ref _loaded)?.Engine;

    /// <summary>Why the last attempt to load failed; null while none has. The next request tries again.</summary>
    public Exception? LoadError { get; private set; }

    public bool IsDisposed => _isDisposed;

    /// <summary>Cancelled when the host is disposed.</summary>
    public CancellationToken Disposed => _disposed;

    public KvPrefetchOptions? CopyOptions() => _options?.Copy();

    /// <summary>The engine, loaded if it is not yet. Cancelling gives up waiting; the load goes on for those who come later.</summary>
    public async ValueTask<LoadedEngine> GetAsync(IProgress<ModelLoadProgress>? progress, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, typeof(KvPrefetchChatClient));
        if (Volatile.Read(ref _loaded) is { } loaded)
        {
            return loaded;
        }

        cancellationToken.ThrowIfCancellationRequested();
        Task<LoadedEngine> loading;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(IsDisposed, typeof(KvPrefetchChatClient));
            if (progress is not null)
            {
                _observers.Add(progress);
            }

            if (_loading is null or { IsFaulted: true } or { IsCanceled: true })
            {
                // A thread of its own: a pool whose threads all wait for this model would never come to load it.
                _loading = Task.Factory.StartNew(Load, CancellationToken.None, TaskCreationOptions.LongRunning | TaskCreationOptions.DenyChildAttach, TaskScheduler.Default);
            }

            loading = _loading;
        }

        try
        {
            return await loading.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ObjectDisposedException("The chat client was disposed while its model was loading.", e);
        }
        finally
        {
            if (progress is not null)
            {
                lock (_gate)
                {
                    _observers.Remove(progress);
                }
            }
        }
    }

    public void Dispose()
    {
        LoadedEngine? loaded;
        lock (_gate)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            loaded = _loaded;
        }

        // Not on this thread: what waits for the token is code of others.
        _ = _disposal.CancelAsync();
        if (_ownsEngine)
        {
            loaded?.Engine.Dispose();
        }
    }

    private LoadedEngine Load()
    {
        LlmEngine? engine = null;
        try
        {
            using var activity = Telemetry.Source.StartActivity("kvprefetch.load");
            activity?.SetTag(Telemetry.ModelTag, ModelId);
            var options = _options!;
            LogLoading(ModelId);
            engine = LlmEngine.Load(Folder!, options.ToEngineOptions(LogInformation), new Broadcast(this), _disposed);
            var loaded = new LoadedEngine(engine, PromptFormat.For(engine, LogInformation));
            lock (_gate)
            {
                // Disposed meanwhile: nobody else would free what was just loaded.
                ObjectDisposedException.ThrowIf(_isDisposed, typeof(KvPrefetchChatClient));
                Volatile.Write(ref _loaded, loaded);
                LoadError = null;
            }

            LogReady(ModelId, engine.Stats.LoadTime.TotalSeconds);
            return loaded;
        }
        catch (Exception e)
        {
            engine?.Dispose();
            if (!_isDisposed)
            {
                LoadError = e;
            }

            throw;
        }
    }

    private void LogInformation(string sentence) => LogSentence(ModelId, sentence);

    [LoggerMessage(LogLevel.Information, "Model {Model}: {Sentence}")]
    private partial void LogSentence(string model, string sentence);

    [LoggerMessage(LogLevel.Information, "Model {Model}: loading")]
    private partial void LogLoading(string model);

    [LoggerMessage(LogLevel.Information, "Model {Model}: ready after {Seconds:F2} s")]
    private partial void LogReady(string model, double seconds);

    private sealed class Broadcast(EngineHost host) : IProgress<ModelLoadProgress>
    {
        public void Report(ModelLoadProgress value)
        {
            IProgress<ModelLoadProgress>[] observers;
            lock (host._gate)
            {
                observers = [.. host._observers];
            }

            foreach (var observer in observers)
            {
                observer.Report(value);
            }
        }
    }
}
