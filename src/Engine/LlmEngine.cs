using KvPrefetch.Engine.Requests;
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
}

/// <summary>A model in this process: loads a Hugging Face folder, answers any number of requests at once. All members are safe for concurrent use.</summary>
public sealed class LlmEngine : IDisposable
{
    /// <summary>Opens the folder and makes the model ready. Throws the typed errors of <see cref="KvPrefetchException"/>.</summary>
    public static LlmEngine Load(string folder, EngineOptions? options = null, IProgress<ModelLoadProgress>? progress = null, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException();

    public ModelInfo Model => throw new NotSupportedException();

    /// <summary>Null where the folder has no tokenizer.json: then prompts are token ids and streamed text is empty.</summary>
    public Tokenizer? Tokenizer => throw new NotSupportedException();

    /// <summary>Null where the folder has no chat template.</summary>
    public ChatTemplate? ChatTemplate => throw new NotSupportedException();

    public EngineStats Stats => throw new NotSupportedException();

    /// <summary>Puts a request into the queue. Everything that can be refused is refused here, before the first token:
    /// <see cref="InvalidRequestException"/>, <see cref="ContextLengthExceededException"/>, <see cref="KvCapacityException"/>,
    /// <see cref="EngineOverloadedException"/>, <see cref="EngineFaultedException"/>, <see cref="ObjectDisposedException"/>.</summary>
    public Generation Submit(GenerationRequest request) => throw new NotSupportedException();

    /// <summary>Ends all requests with <see cref="ObjectDisposedException"/> and frees the model. May be called at any time, twice too.</summary>
    public void Dispose() => throw new NotSupportedException();
}

/// <summary>What one token added to the answer.</summary>
/// <param name="Token">The token's id; null for the last piece, which flushes text that was held back.</param>
/// <param name="Text">Text that became certain; may be empty while a character or a possible stop string is incomplete.</param>
public readonly record struct GenerationPiece(int? Token, string Text);

/// <summary>A running request, seen by its caller. Disposing it, or leaving its enumeration, cancels it.</summary>
public sealed class Generation : IAsyncDisposable, IDisposable
{
    /// <summary>Streams the answer; may be enumerated once. Ends normally on Stop and Length; throws the request's error, OperationCanceledException
    /// with <paramref name="cancellationToken"/> when that fired, ObjectDisposedException when the engine was disposed.</summary>
    public IAsyncEnumerable<GenerationPiece> ReadAllAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

    /// <summary>Null while running.</summary>
    public FinishReason? FinishReason => throw new NotSupportedException();

    public int PromptTokens => throw new NotSupportedException();

    /// <summary>Prompt tokens whose keys and values were found in the cache.</summary>
    public int CachedPromptTokens => throw new NotSupportedException();
    public int GeneratedTokens => throw new NotSupportedException();

    /// <summary>From submission to the first token.</summary>
    public TimeSpan? TimeToFirstToken => throw new NotSupportedException();

    /// <summary>From the first token to the last so far.</summary>
    public TimeSpan DecodeTime => throw new NotSupportedException();

    /// <summary>Leaves the batch at the next step. Idempotent.</summary>
    public void Cancel() => throw new NotSupportedException();
    public void Dispose() => Cancel();
    public ValueTask DisposeAsync() { Cancel(); return ValueTask.CompletedTask; }
}
