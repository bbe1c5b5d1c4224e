namespace KvPrefetch.Engine.Requests;

/// <summary>A token and the natural logarithm of its probability.</summary>
/// <param name="Token">The token's id.</param>
/// <param name="Logprob">At most 0; -infinity where the model rules the token out.</param>
public readonly record struct TokenLogprob(int Token, float Logprob);

/// <summary>What the model thought of one generated token: probabilities of its own distribution, at temperature 1, before grammar, bias, penalties and filters.
/// So they say what the model would have written, not what it was allowed to.</summary>
/// <param name="Chosen">The generated token.</param>
/// <param name="Top">The likeliest tokens, likeliest first and the lower id first where they are equal; as many as were asked for.</param>
public sealed record TokenLogprobs(TokenLogprob Chosen, IReadOnlyList<TokenLogprob> Top);
