using System.Runtime.CompilerServices;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace KvPrefetch.AI;

/// <summary>Chats with a model that runs inside this process. All members are safe for concurrent use; requests run together in one batch.</summary>
/// <remarks>Disposing it at any time ends its streams with <see cref="ObjectDisposedException"/>. A request that cannot be taken is refused before its first update with
/// <see cref="InvalidRequestException"/>, <see cref="ContextLengthExceededException"/>, <see cref="KvCapacityException"/> or <see cref="EngineOverloadedException"/>.</remarks>
public sealed class KvPrefetchChatClient : IChatClient
{
    private readonly EngineHost _host;
    private readonly bool _ownsHost;
    private readonly ChatClientMetadata _metadata;
    private readonly CancellationTokenSource _disposal;
    private readonly CancellationToken _disposed;

    /// <summary>Chats with the model of a Hugging Face folder, which is loaded at the first request or by <see cref="LoadAsync"/>.</summary>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">The options are wrong; the message says which and what to do.</exception>
    public KvPrefetchChatClient(KvPrefetchOptions options, ILoggerFactory? loggerFactory = null)
        : this(new EngineHost(NotNull(options, nameof(options)), Logger(loggerFactory)), ownsHost: true)
    {
    }

    /// <summary>Chats with an engine that is loaded already.</summary>
    /// <param name="engine">May serve other clients too.</param>
    /// <param name="ownsEngine">Dispose the engine with this client.</param>
    /// <param name="loggerFactory">Where the client says what is worth knowing.</param>
    /// <exception cref="UnsupportedModelException">The folder has no tokenizer.</exception>
    public KvPrefetchChatClient(LlmEngine engine, bool ownsEngine = false, ILoggerFactory? loggerFactory = null)
        : this(new EngineHost(NotNull(engine, nameof(engine)), ownsEngine, Logger(loggerFactory)), ownsHost: true)
    {
    }

    internal KvPrefetchChatClient(EngineHost host, bool ownsHost)
    {
        (_host, _ownsHost) = (host, ownsHost);
        _metadata = new ChatClientMetadata("kvprefetch", host.Folder is null ? null : new Uri(host.Folder), host.ModelId);
        _disposal = CancellationTokenSource.CreateLinkedTokenSource(host.Disposed);
        _disposed = _disposal.Token;
    }

    /// <summary>Loads the model now, if it is not loaded yet; several callers share one load. Cancelling ends the wait, not the load.</summary>
    /// <exception cref="KvPrefetchException">The folder cannot be loaded; the next call tries again.</exception>
    public async Task LoadAsync(IProgress<ModelLoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed.IsCancellationRequested, this);
        await _host.GetAsync(progress, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    /// <inheritdoc/>
    /// <remarks>Messages and options are read when this is called; enumerating the result twice makes two requests of them.</remarks>
    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ObjectDisposedException.ThrowIf(_disposed.IsCancellationRequested, this);
        return StreamAsync([.. messages], options?.Clone(), cancellationToken);
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? _metadata
            : serviceType == typeof(LlmEngine) ? _host.Engine
            : serviceType == typeof(KvPrefetchOptions) ? _host.CopyOptions()
            : serviceType.IsInstanceOfType(this) ? this
            : null;
    }

    /// <summary>Ends this client's streams, and frees the model if the client loaded it or was given it to own. May be called at any time, twice too.</summary>
    public void Dispose()
    {
        _ = _disposal.CancelAsync(); // not on this thread: what waits for the token is code of others
        if (_ownsHost)
        {
            _host.Dispose();
        }
    }

    private async IAsyncEnumerable<ChatResponseUpdate> StreamAsync(
        ChatMessage[] messages, ChatOptions? options, CancellationToken callToken, [EnumeratorCancellation] CancellationToken enumerationToken = default)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(callToken, enumerationToken, _disposed);
        using var answer = await Guard(StartAsync(messages, options, linked.Token)).ConfigureAwait(false);
        var template = new ChatResponseUpdate
        {
            Role = ChatRole.Assistant,
            ResponseId = "resp_" + Guid.NewGuid().ToString("N"),
            MessageId = "msg_" + Guid.NewGuid().ToString("N"),
            ModelId = _host.ModelId,
            CreatedAt = DateTimeOffset.UtcNow,
        };
        var contents = answer.ReadAsync(linked.Token).GetAsyncEnumerator(linked.Token);
        await using (contents.ConfigureAwait(false))
        {
            while (await Guard(contents.MoveNextAsync()).ConfigureAwait(false))
            {
                var update = Update(template, [contents.Current]);
                update.RawRepresentation = answer.Logprobs?.TakeNew();
                yield return update;
            }
        }

        var last = Update(template, [.. answer.Calls, new UsageContent(answer.Usage)]);
        last.FinishReason = answer.FinishReason;
        if (answer.Logprobs is { } logprobs)
        {
            last.RawRepresentation = logprobs.TakeNew();
            last.AdditionalProperties = new() { [AnswerLogprobs.Name] = logprobs.ToJson() };
        }

        yield return last;

        // Cancellation reaches the caller as the token that fired, not as our linked one; the end of the client as ObjectDisposedException.
        async ValueTask<T> Guard<T>(ValueTask<T> work)
        {
            try
            {
                return await work.ConfigureAwait(false);
            }
            catch (OperationCanceledException e) when (linked.IsCancellationRequested)
            {
                callToken.ThrowIfCancellationRequested();
                enumerationToken.ThrowIfCancellationRequested();
                throw new ObjectDisposedException("The chat client was disposed while it answered.", e);
            }
        }
    }

    private async ValueTask<Answer> StartAsync(ChatMessage[] messages, ChatOptions? options, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var asked = RequestOptions.Resolve(options, this, _host.ModelId);
        var tools = ToolRequest.Of(options);
        var form = FormatRequest.Of(options);
        var reasoning = ReasoningRequest.Of(options, asked.MaxReasoningTokens);
        var turns = PromptBuilder.Build(messages, options?.Instructions);
        var (engine, format) = await _host.GetAsync(progress: null, cancellationToken).ConfigureAwait(false);
        var plan = AnswerPlan.For(engine, format, asked, turns, tools, reasoning, form);
        cancellationToken.ThrowIfCancellationRequested();
        return new Answer(engine, plan, _host.ModelId);
    }

    private static ChatResponseUpdate Update(ChatResponseUpdate template, IList<AIContent> contents)
    {
        var update = template.Clone();
        update.Contents = contents;
        return update;
    }

    private static T NotNull<T>(T value, string name)
        where T : class => value ?? throw new ArgumentNullException(name);

    private static ILogger Logger(ILoggerFactory? factory) => (factory ?? NullLoggerFactory.Instance).CreateLogger<KvPrefetchChatClient>();
}
