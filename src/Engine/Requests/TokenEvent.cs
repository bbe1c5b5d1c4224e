namespace KvPrefetch.Engine.Requests;

/// <summary>What the pump tells a request's consumer after a step.</summary>
/// <param name="Token">The generated token; null when the request ended without one.</param>
/// <param name="Finish">Set on the last event.</param>
/// <param name="Timestamp">When the step was done, in ticks of <see cref="System.Diagnostics.Stopwatch"/>.</param>
/// <param name="Logprobs">Of the token, where the request asks for it.</param>
internal readonly record struct TokenEvent(int? Token, FinishReason? Finish, long Timestamp, TokenLogprobs? Logprobs = null);
