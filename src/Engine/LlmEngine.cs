using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Execution;
using KvPrefetch.Engine.KvCache;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Sampling;
using KvPrefetch.Engine.Scheduling;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Engine.Text.Templates;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Engine;

/// <summary>What is known of the loaded model.</summary>
public sealed record ModelInfo
{
    /// <summary>Name of the folder, unless the caller gives another.</summary>
    public required string Id { get; init; }
    public required string ModelType { get; init; }
    public required long Parameters { get; init; }
    public required int VocabularySize { get; init; }

    /// <summary>Longest sequence that a request of this engine may reach, in tokens.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Tokens that end an answer, from generation_config.json and config.json.</summary>
    public required IReadOnlyList<int> StopTokens { get; init; }

    /// <summary>Sampling defaults of generation_config.json.</summary>
    public required SamplingOptions SamplingDefaults { get; init; }
}

/// <summary>One request to the engine.</summary>
public sealed record GenerationRequest
{
    /// <summary>Token ids of the prompt; at least one.</summary>
    public required ReadOnlyMemory<int> Prompt { get; init; }

    /// <summary>Tokens to generate at most; null goes on to the end of the context.</summary>
    public int? MaxOutputTokens { get; init; }

    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Null: the model's own.</summary>
    public IReadOnlyList<int>? StopTokens { get; init; }

    /// <summary>Text that ends the answer and is not part of it; at most 16 of at most 256 characters.</summary>
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    /// <summary>What the output must look like; null for anything. Stop tokens come only where the text may end. A text that is cut by its length may be unfinished.
    /// Text that it forces is taken without running the model for each token, in the tokens that the model's tokenizer makes of it, unless log-probabilities are asked for.</summary>
    public Grammar? Grammar { get; init; }

    /// <summary>Only requests of the same salt use each other's keys and values; null is a salt too. For callers who must not learn, by the time an answer takes, what others have asked.</summary>
    public string? CacheSalt { get; init; }

    /// <summary>Text that the grammar forces is taken without asking the model for each of its tokens. The answer is the same without; it only takes longer.</summary>
    internal bool JumpsAhead { get; init; } = true;
}

/// <summary>A model in this process: loads a Hugging Face folder, answers any number of requests at once. All members are safe for concurrent use.</summary>
public sealed class LlmEngine : IDisposable
{
    private readonly IBackend _backend;
    private readonly Checkpoint _checkpoint;
    private readonly WeightsCache? _cache;
    private readonly ModelRunner _runner;
    private readonly PagePool[] _pools;
    private readonly MemoryPlan _plan;
    private readonly SummarySampler? _summaries;
    private readonly Pump _pump;
    private readonly TimeSpan _loadTime;
    private long _lastId;
    private int _disposed;

    private LlmEngine(EngineParts parts, EngineOptions options, TimeSpan loadTime)
    {
        (_backend, _checkpoint, _cache, _runner, _summaries, _plan, _loadTime) = (parts.Backend, parts.Checkpoint, parts.Cache, parts.Runner, parts.Summaries, parts.Plan, loadTime);
        (Model, Tokenizer, ChatTemplate) = (parts.Model, parts.Tokenizer, parts.ChatTemplate);
        _pools = [.. _plan.Layout.Windows.Select((window, group) => new PagePool(_plan.Pages[group], MemoryPlan.PageSize, window, parts.SharesPrefixes))];
        _pump = new Pump(new Scheduler(_pools, _plan.Sequences, options.MaxBatchTokens), _runner, parts.Sampler, parts.Summaries, options.MaxBatchSequences, options.MaxQueue);
    }

    public ModelInfo Model { get; }

    /// <summary>Null where the folder has no tokenizer.json: then prompts are token ids and streamed text is empty.</summary>
    public Tokenizer? Tokenizer { get; }

    /// <summary>Null where the folder has no chat template.</summary>
    public ChatTemplate? ChatTemplate { get; }

    public EngineStats Stats => new()
    {
        Backend = _backend.Name,
        Threads = _backend.Threads,
        RunningSequences = _pump.Running,
        WaitingSequences = _pump.Waiting,
        BatchSequences = _pump.BatchSequences,
        PagesUsed = _pools.Sum(p => p.UsedCount),
        PagesTotal = _pools.Sum(p => p.TotalCount),
        KvCacheBytes = _plan.Bytes,
        PromptTokens = _pump.PromptTokens,
        GeneratedTokens = _pump.GeneratedTokens,
        PrefixHitTokens = _pump.PrefixHitTokens,
        Preemptions = _pump.Preemptions,
        LoadTime = _loadTime,
        Device = BackendChoice.Device(_backend),
        Faulted = _pump.Fault is not null,
    };

    internal long PumpAllocatedBytes => _pump.AllocatedBytes;

    /// <summary>Says what a folder holds and checks its names and shapes, without reading a weight. Throws the typed errors of <see cref="KvPrefetchException"/>.</summary>
    /// <param name="folder">A Hugging Face model folder.</param>
    /// <param name="log">Told what is ignored.</param>
    public static ModelDescription Describe(string folder, Action<string>? log = null)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return ModelDescription.Read(folder, log);
    }

    /// <summary>Opens the folder and makes the model ready. Throws the typed errors of <see cref="KvPrefetchException"/>.</summary>
    /// <param name="folder">A Hugging Face model folder.</param>
    /// <param name="options">Null takes the defaults.</param>
    /// <param name="progress">Told what is being done.</param>
    /// <param name="cancellationToken">Gives up between stages.</param>
    public static LlmEngine Load(string folder, EngineOptions? options = null, IProgress<ModelLoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        options ??= new EngineOptions();
        options.Validate();
        return BackendChoice.Load(options, createBackend => Load(folder, options, createBackend, progress, cancellationToken));
    }

    /// <summary>The same on a backend of the caller's choice, which the engine owns from then on.</summary>
    internal static LlmEngine Load(string folder, EngineOptions options, Func<IBackend> createBackend, IProgress<ModelLoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(folder);
        options.Validate();
        var started = Stopwatch.GetTimestamp();
        var parts = EngineParts.Load(folder, options, createBackend, progress, cancellationToken);
        return new LlmEngine(parts, options, Stopwatch.GetElapsedTime(started));
    }

    /// <summary>Puts a request into the queue. Everything that can be refused is refused here, before the first token:
    /// <see cref="InvalidRequestException"/>, <see cref="ContextLengthExceededException"/>, <see cref="KvCapacityException"/>,
    /// <see cref="EngineOverloadedException"/>, <see cref="EngineFaultedException"/>, <see cref="ObjectDisposedException"/>.</summary>
    public Generation Submit(GenerationRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        var stopTokens = request.StopTokens ?? Model.StopTokens;
        RequestLimits.ValidatePrompt(request.Prompt.Span, Model.VocabularySize);
        RequestLimits.ValidateStopTokens(stopTokens, Model.VocabularySize);
        RequestLimits.ValidateStopStrings(request.StopStrings);
        request.Sampling.Validate(Model.VocabularySize);
        if (request.StopStrings.Count > 0 && Tokenizer is null)
        {
            throw RequestLimits.Refused(nameof(request.StopStrings), $"Stop strings need a tokenizer, and this model folder has none.");
        }

        if (request.Grammar is not null && Tokenizer is null)
        {
            throw RequestLimits.Refused(nameof(request.Grammar), $"A grammar needs a tokenizer, and this model folder has none.");
        }

        var maxTokens = RequestLimits.MaxTokens(request.Prompt.Length, request.MaxOutputTokens, Model.ContextLength);
        var capacity = _pools.Min(p => p.TokenCapacity);
        if (request.Prompt.Length >= capacity)
        {
            throw new KvCapacityException($"The prompt has {request.Prompt.Length} tokens; the KV cache holds {capacity} and needs room for one more.");
        }

        var sequence = new Sequence(Interlocked.Increment(ref _lastId), request.Prompt.Span, maxTokens, request.Sampling, [.. stopTokens])
        {
            CacheSalt = Salt(request.CacheSalt),
            Constraint = request.Grammar is { } grammar ? new GrammarConstraint(grammar.Start(Tokenizer!), stopTokens, JumpsAhead(request)) : null,
        };
        var generation = new Generation(_pump, sequence, Tokenizer?.CreateDetokenizer(), [.. request.StopStrings]);
        _pump.Submit(generation);
        return generation;
    }

    /// <summary>Where each token is to be seen with its row, because its probability is asked for or some are forbidden, none is taken unseen.</summary>
    private static bool JumpsAhead(GenerationRequest request) =>
        request.JumpsAhead && request.Sampling.Logprobs is null && request.Sampling.LogitBias?.Values.Any(float.IsNegativeInfinity) != true;

    private static ulong Salt(string? salt) => salt is null ? 0 : BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(MemoryMarshal.AsBytes(salt.AsSpan())));

    /// <summary>Ends all requests with <see cref="ObjectDisposedException"/> and frees the model. May be called at any time, twice too.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _pump.Dispose();
            _runner.Dispose();
            _summaries?.Dispose();
            _backend.Dispose();
            _checkpoint.Dispose();
            _cache?.Dispose();
        }
    }
}
