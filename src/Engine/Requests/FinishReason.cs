namespace KvPrefetch.Engine.Requests;

/// <summary>Why a generation ended.</summary>
public enum FinishReason
{
    /// <summary>A stop token or a stop string.</summary>
    Stop,
    /// <summary>The number of tokens asked for, or the end of the context.</summary>
    Length,
    /// <summary>The caller cancelled or walked away.</summary>
    Cancelled,
    /// <summary>The request failed; its error is thrown to the caller.</summary>
    Error,
}
