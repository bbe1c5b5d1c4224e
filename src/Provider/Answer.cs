using System.Runtime.CompilerServices;
using KvPrefetch.AI.ToolCalls;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;
using EngineFinishReason = KvPrefetch.Engine.Requests.FinishReason;

namespace KvPrefetch.AI;

/// <summary>One answer of the engine as contents: text and reasoning while they come, calls at the end. Disposing it cancels what runs.</summary>
internal sealed class Answer : IDisposable
{
    private readonly LlmEngine _engine;
    private readonly AnswerPlan _plan;
    private readonly string _modelId;
    private readonly TokenReader? _reader;
    private readonly StopStrings _stops;
    private readonly List<int> _generated = [];
    private readonly List<AnswerPart> _parts = [];
    private int _cached = -1;
    private Generation _generation;
    private Generation? _next;
    private int _injected;
    private int _reasoningTokens;
    private bool _reasoningEnded;
    private bool _stopped;

    /// <summary>Submits the request; whatever can be refused is refused here.</summary>
    public Answer(LlmEngine engine, AnswerPlan plan, string modelId)
    {
        (_engine, _plan, _modelId) = (engine, plan, modelId);
        var request = plan.Request;
        if (plan.Format.HasParts || plan.Tools.Declarations is not null)
        {
            var reader = plan.Format.CreateReader(plan.Tools.Tools, plan.Tools.Declarations is not null, plan.Prompt.InSection, plan.Prompt.Tail);
            _reader = plan.Format.Read(reader);

            // Stops concern the text that is given out, which the engine does not tell from the rest.
            request = request with { StopStrings = [] };
        }

        Logprobs = request.Sampling.Logprobs is null ? null : new AnswerLogprobs(engine.Tokenizer!);
        _stops = new StopStrings(_reader is null ? [] : plan.Request.StopStrings);
        _generation = engine.Submit(request);
    }

    /// <summary>Why it ended; set once everything was read.</summary>
    public ChatFinishReason FinishReason { get; private set; } = ChatFinishReason.Stop;

    /// <summary>The calls; complete once everything was read.</summary>
    public List<AIContent> Calls { get; } = [];

    /// <summary>Of the tokens read so far; null where nobody asked.</summary>
    public AnswerLogprobs? Logprobs { get; }

    public UsageDetails Usage => new()
    {
        InputTokenCount = _plan.Prompt.Tokens.Length,
        OutputTokenCount = _generated.Count + _injected,
        TotalTokenCount = (long)_plan.Prompt.Tokens.Length + _generated.Count + _injected,
        CachedInputTokenCount = Math.Max(0, _cached),
        ReasoningTokenCount = _reasoningTokens,
    };

    /// <summary>Text and reasoning as they become certain. Throws as <see cref="Generation.ReadAllAsync"/> does.</summary>
    public async IAsyncEnumerable<AIContent> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        do
        {
            _next = null;
            await foreach (var piece in _generation.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                Take(piece);
                _cached = _cached < 0 ? _generation.CachedPromptTokens : _cached;
                _next = IsOutOfReasoning ? Reclosed() : null;
                foreach (var content in Contents())
                {
                    yield return content;
                }

                if (_stopped || _next is not null)
                {
                    break;
                }
            }

            if (_next is not null)
            {
                Telemetry.Record(_generation, _modelId);
                _generation.Dispose();
                _generation = _next;
            }
        }
        while (_next is not null && !_stopped);

        var wasCut = !_stopped && _generation.FinishReason == EngineFinishReason.Length;
        _reader?.End(!wasCut, _parts);
        foreach (var content in Contents(isLast: true))
        {
            yield return content;
        }

        FinishReason = wasCut ? ChatFinishReason.Length : Calls.Exists(c => c is FunctionCallContent) ? ChatFinishReason.ToolCalls : ChatFinishReason.Stop;
    }

    public void Dispose()
    {
        Telemetry.Record(_generation, _modelId);
        _generation.Dispose();
        _next?.Dispose();
    }

    private bool IsOutOfReasoning => !_reasoningEnded && _reader is { Answer.IsReasoning: true } && _reasoningTokens >= _plan.Reasoning.MaxTokens && _plan.Format.Reasons
        && _generation.FinishReason is null;

    private void Take(in GenerationPiece piece)
    {
        if (piece.Token is { } token)
        {
            _generated.Add(token);
            if (piece.Logprobs is { } logprobs)
            {
                Logprobs?.Add(logprobs);
            }
        }

        if (_reader is null)
        {
            if (piece.Text.Length > 0)
            {
                _parts.Add(new AnswerPart(AnswerPartKind.Text, piece.Text));
            }
        }
        else if (piece.Token is { } id && _generation.FinishReason != EngineFinishReason.Stop)
        {
            var before = _reader.Answer.IsReasoning;
            _reader.Append(id, _parts);
            _reasoningTokens += before || _reader.Answer.IsReasoning ? 1 : 0;
        }
    }

    /// <summary>Closes reasoning that takes too long, as the model would have, and lets it go on from there. Where nothing fits behind it, or the engine is too busy to take it, it goes on as it is.</summary>
    private Generation? Reclosed()
    {
        _reasoningEnded = true;
        var end = _plan.Format.EncodeReasoningEnd();
        var used = _generated.Count + end.Length;
        var left = _plan.Request.MaxOutputTokens - used;
        if (left <= 0 || _plan.Request.Prompt.Length + used >= _engine.Model.ContextLength)
        {
            return null;
        }

        try
        {
            int[] prompt = [.. _plan.Request.Prompt.Span, .. _generated, .. end];
            var next = _engine.Submit(_plan.Request with { Prompt = prompt, MaxOutputTokens = left, StopStrings = [], Grammar = _plan.AfterReasoning() });
            foreach (var token in end)
            {
                _reader!.Append(token, _parts);
            }

            _injected += end.Length;
            return next;
        }
        catch (Exception e) when (e is EngineOverloadedException or KvCapacityException)
        {
            return null;
        }
    }

    /// <summary>What may be given out of the parts read so far; calls are kept.</summary>
    private List<AIContent> Contents(bool isLast = false)
    {
        var contents = new List<AIContent>();
        foreach (var part in _parts)
        {
            if (_stopped)
            {
                break;
            }

            switch (part.Kind)
            {
                case AnswerPartKind.Text:
                    Add(contents, _stops.Append(part.Text));
                    _stopped = _stops.Stopped;
                    break;
                case AnswerPartKind.Reasoning when _plan.Reasoning.Shown:
                    contents.Add(new TextReasoningContent(part.Text));
                    break;
                case AnswerPartKind.Call or AnswerPartKind.Malformed:
                    Add(contents, _stops.Flush());
                    AddCall(part);
                    break;
            }
        }

        if (isLast && !_stopped)
        {
            Add(contents, _stops.Flush());
        }

        _parts.Clear();
        return contents;
    }

    private void AddCall(AnswerPart part)
    {
        if (part.Call is not { } call)
        {
            Calls.Add(CallErrors.Malformed(part.Text, _generation.FinishReason == EngineFinishReason.Length));
        }
        else if (_plan.Tools.Use == ToolUse.None)
        {
            Calls.Add(CallErrors.NotAllowed(call.Name, "calls are switched off by ToolMode"));
        }
        else if (!_plan.Tools.Multiple && Calls.Exists(c => c is FunctionCallContent))
        {
            Calls.Add(CallErrors.NotAllowed(call.Name, "AllowMultipleToolCalls is false"));
        }
        else
        {
            Calls.Add(new FunctionCallContent(CallIds.New(), call.Name, call.Arguments) { Exception = call.Error });
        }
    }

    private static void Add(List<AIContent> contents, string text)
    {
        if (text.Length > 0)
        {
            contents.Add(new TextContent(text));
        }
    }
}
