using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Tests.Simulation;

internal enum EventKind
{
    Submit,
    CancelAsked,
    FailAsked,
    Token,
    End,
}

/// <param name="Request">Index of the request.</param>
/// <param name="Kind">What happened to it.</param>
/// <param name="Value">Token: the token. End: the number of generated tokens.</param>
/// <param name="Reason">End: why.</param>
internal readonly record struct Event(int Request, EventKind Kind, int Value = 0, FinishReason Reason = default);

/// <summary>What a request was, for the checker.</summary>
internal sealed record RequestFacts(int[] Prompt, int MaxTokens, int[] StopTokens, int Window = 0, bool HasStates = true);

/// <summary>Judges a log of events without knowing the scheduler: every request is submitted, then gives a prefix of the tokens that the oracle says, then ends
/// exactly once for a reason that the log bears out; nothing comes after.</summary>
internal static class History
{
    /// <summary>The first thing that is wrong, or null.</summary>
    /// <param name="events">In the order in which they happened.</param>
    /// <param name="requests">By index.</param>
    /// <param name="tokenCapacity">Tokens that the whole pool holds: only above it may an answer end early by length.</param>
    public static string? FirstViolation(ReadOnlySpan<Event> events, IReadOnlyList<RequestFacts> requests, long tokenCapacity)
    {
        var states = new State?[requests.Count];
        for (var i = 0; i < events.Length; i++)
        {
            var e = events[i];
            var state = states[e.Request];
            if (e.Kind == EventKind.Submit)
            {
                if (state is not null)
                {
                    return $"event {i}: request {e.Request} was submitted twice";
                }

                states[e.Request] = new State(requests[e.Request]);
            }
            else if (state is null)
            {
                return $"event {i}: {e.Kind} before request {e.Request} was submitted";
            }
            else if (state.Take(e, tokenCapacity) is { } wrong)
            {
                return $"event {i}: request {e.Request}: {wrong}";
            }
        }

        for (var i = 0; i < states.Length; i++)
        {
            if (states[i] is not { Ended: true })
            {
                return $"request {i} never ended";
            }
        }

        return null;
    }

    private sealed class State
    {
        private readonly RequestFacts _request;
        private readonly HashModel.Oracle _oracle;
        private int _generated;
        private int _last = -1;

        /// <summary>How it must end, once someone asked; the first to ask decides.</summary>
        private FinishReason? _asked;

        public State(RequestFacts request)
        {
            (_request, _oracle) = (request, new HashModel.Oracle(Scenario.Vocabulary, request.Window, request.HasStates));
            Array.ForEach(request.Prompt, _oracle.Append);
        }

        public bool Ended { get; private set; }

        public string? Take(Event e, long tokenCapacity)
        {
            if (Ended)
            {
                return $"{e.Kind} after the end";
            }

            if (e.Kind is EventKind.CancelAsked or EventKind.FailAsked)
            {
                _asked ??= e.Kind == EventKind.CancelAsked ? FinishReason.Cancelled : FinishReason.Error;
                return null;
            }

            if (e.Kind == EventKind.Token)
            {
                if (_asked is not null)
                {
                    return "a token after it was cancelled or failed";
                }

                if (_generated > 0 && _request.StopTokens.Contains(_last))
                {
                    return "a token after a stop token";
                }

                if (e.Value != _oracle.Next)
                {
                    return $"token {_generated} is {e.Value}, the oracle says {_oracle.Next}";
                }

                _last = e.Value;
                _oracle.Append(_last);
                _generated++;
                return _request.Prompt.Length + _generated > _request.MaxTokens ? "more tokens than were asked for" : null;
            }

            Ended = true;
            if (e.Value != _generated)
            {
                return $"{e.Value} tokens were reported and {_generated} given";
            }

            var count = _request.Prompt.Length + _generated;
            var stopped = _generated > 0 && _request.StopTokens.Contains(_last);
            var borneOut = _asked is not null ? e.Reason == _asked : e.Reason switch
            {
                FinishReason.Stop => stopped,
                FinishReason.Length => !stopped && (count == _request.MaxTokens || count > tokenCapacity),
                _ => false,
            };
            return borneOut ? null : $"ended by {e.Reason} after {count} tokens without cause";
        }
    }
}
