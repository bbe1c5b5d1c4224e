namespace KvPrefetch.Engine;

/// <summary>Base of every error that KvPrefetch raises on purpose. <see cref="Code"/> is stable and safe to switch on; the message is for people.</summary>
public abstract class KvPrefetchException : Exception
{
    private protected KvPrefetchException(string code, string message, Exception? inner = null) : base(message, inner) => Code = code;

    /// <summary>Stable identifier of what went wrong, for example <c>HeaderTooLarge</c>.</summary>
    public string Code { get; }
}

/// <summary>A file of the model folder is malformed.</summary>
public sealed class ModelFormatException : KvPrefetchException
{
    /// <param name="code">Stable identifier, for example <c>InvalidOffset</c>.</param>
    /// <param name="message">What, where, the limit and the actual value.</param>
    /// <param name="file">File name without its folder.</param>
    /// <param name="tensor">Tensor or config field concerned, if one is.</param>
    /// <param name="offset">Byte offset in the file, if one is known.</param>
    /// <param name="inner">The parser's own error, if there is one.</param>
    public ModelFormatException(string code, string message, string? file = null, string? tensor = null, long? offset = null, Exception? inner = null)
        : base(code, message, inner) => (File, Tensor, Offset) = (file, tensor, offset);

    public string? File { get; }
    public string? Tensor { get; }
    public long? Offset { get; }
}

/// <summary>Files or tensors that the model needs are missing, or tensors are left over that it does not know.</summary>
public sealed class ModelIncompleteException : KvPrefetchException
{
    public ModelIncompleteException(string message, IReadOnlyList<string> missing, IReadOnlyList<string> unexpected)
        : base("ModelIncomplete", message) => (Missing, Unexpected) = (missing, unexpected);

    /// <summary>Names of missing files or tensors, all of them (the message shows twenty).</summary>
    public IReadOnlyList<string> Missing { get; }
    public IReadOnlyList<string> Unexpected { get; }
}

/// <summary>The model is valid but uses something that this engine does not do; the message names it and lists what is supported.</summary>
public sealed class UnsupportedModelException(string message, string? field = null) : KvPrefetchException("UnsupportedModel", message)
{
    /// <summary>The config field or file that is not supported.</summary>
    public string? Field { get; } = field;
}

/// <summary>tokenizer.json cannot be used.</summary>
public sealed class TokenizerFormatException(string code, string message, Exception? inner = null) : KvPrefetchException(code, message, inner);

/// <summary>Why a chat template failed.</summary>
public enum ChatTemplateError
{
    /// <summary>The template does not parse.</summary>
    Syntax,
    /// <summary>A budget (depth, steps, output) ran out.</summary>
    Limit,
    /// <summary>The template itself refused, or an operation in it is not defined for its values.</summary>
    Raised,
    /// <summary>The template asked for something templates may not do.</summary>
    Forbidden,
    /// <summary>A filter, test, function or method that is not known.</summary>
    Unsupported,
}

/// <summary>The chat template does not parse or does not render these messages.</summary>
public sealed class ChatTemplateException(ChatTemplateError reason, string message, int? line = null, Exception? inner = null)
    : KvPrefetchException("ChatTemplate" + reason, message, inner)
{
    public ChatTemplateError Reason { get; } = reason;

    /// <summary>Line in the template, from 1.</summary>
    public int? Line { get; } = line;
}

/// <summary>Why a grammar, a regular expression or a JSON schema was refused.</summary>
public enum GrammarError
{
    /// <summary>It is malformed.</summary>
    Invalid,
    /// <summary>It asks for something that cannot be decided exactly.</summary>
    Unsupported,
    /// <summary>A budget (depth, size, states) ran out.</summary>
    Limit,
    /// <summary>Nothing can ever match it.</summary>
    Unsatisfiable,
    /// <summary>While it was followed, no token was left that could come next.</summary>
    DeadEnd,
}

/// <summary>A grammar, a regular expression or a JSON schema cannot be used as a constraint.</summary>
public sealed class GrammarException(GrammarError reason, string message, string? pointer = null) : KvPrefetchException("Grammar" + reason, message)
{
    public GrammarError Reason { get; } = reason;

    /// <summary>JSON pointer into the schema, or null where it is none.</summary>
    public string? Pointer { get; } = pointer;
}

/// <summary>The context cannot hold the prompt and what was asked for.</summary>
public sealed class ContextLengthExceededException(int promptTokens, int maxTokens, int limit)
    : KvPrefetchException("ContextLengthExceeded", $"The prompt has {promptTokens} tokens and {maxTokens} more were asked for; the context holds {limit}.")
{
    public int PromptTokens { get; } = promptTokens;
    public int MaxTokens { get; } = maxTokens;
    public int Limit { get; } = limit;
}

/// <summary>The queue is full, or the engine is shutting down.</summary>
public sealed class EngineOverloadedException(string message, TimeSpan retryAfter) : KvPrefetchException("EngineOverloaded", message)
{
    public TimeSpan RetryAfter { get; } = retryAfter;
}

/// <summary>The request can never fit into the KV cache of this engine.</summary>
public sealed class KvCapacityException(string message) : KvPrefetchException("KvCapacity", message);

/// <summary>The model produced NaN or infinity for this request, or no token was left to choose.</summary>
public sealed class NumericalFaultException(string code, string message) : KvPrefetchException(code, message);

/// <summary>The engine met an error it cannot recover from; every request fails with this until it is loaded again.</summary>
public sealed class EngineFaultedException(string message, Exception? inner) : KvPrefetchException("EngineFaulted", message, inner);

/// <summary>A request that is refused before anything runs.</summary>
public sealed class InvalidRequestException(string message, string? paramName) : ArgumentException(message, paramName)
{
    /// <summary>Stable identifier, the same for all of these; <see cref="ArgumentException.ParamName"/> says which parameter.</summary>
    public string Code { get; } = "InvalidRequest";
}

/// <summary>A card cannot be used, or no longer. <see cref="KvPrefetchException.Code"/> says which.</summary>
public class DeviceException(string code, string message) : KvPrefetchException(code, message)
{
    /// <summary>There is no such device, or its driver or compiler is missing.</summary>
    public const string Unavailable = "DeviceUnavailable";

    /// <summary>The device has not enough memory left.</summary>
    public const string OutOfMemory = "DeviceOutOfMemory";

    /// <summary>The device or its driver failed; what was being done on it is lost.</summary>
    public const string Fault = "DeviceFault";

    /// <summary>The backend does not do what this model needs.</summary>
    public const string Unsupported = "DeviceUnsupported";
}

/// <summary>The device has not enough memory left for what was asked; what it holds is unharmed, and less may still fit.</summary>
/// <param name="message">With the figures.</param>
/// <param name="requiredBytes">What was asked for; 0 where the driver does not say.</param>
/// <param name="freeBytes">What nobody held then.</param>
public sealed class DeviceOutOfMemoryException(string message, long requiredBytes, long freeBytes) : DeviceException(OutOfMemory, message)
{
    public long RequiredBytes { get; } = requiredBytes;
    public long FreeBytes { get; } = freeBytes;
}
