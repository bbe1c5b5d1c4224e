using System.Text;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Answers with reasoning between tags and calls that begin with a tag or are the whole answer. Text is given out at once, as far as it cannot be the beginning of a tag;
/// from the first call on everything is kept until the end, where the calls are read in one pass.</summary>
internal sealed class TaggedAnswerReader : AnswerReader
{
    // No call takes longer to look like one.
    private const int MaxUndecided = 512;

    private readonly IReadOnlyList<CallSyntax> _syntaxes;
    private ReasoningTags? _reasoning;
    private readonly ToolSet _tools;
    private readonly TagScan _answerTags;
    private readonly TagScan _reasoningTags;
    private readonly StringBuilder _call = new();
    private string _held = "";
    private State _state;
    private CallSyntax? _calls;
    private bool _isBare;
    private bool _trims;

    /// <param name="syntaxes">How calls may be written; the first whose opener comes reads all of them.</param>
    /// <param name="reasoning">Null where the model does not reason.</param>
    /// <param name="startsInReasoning">The prompt opened it.</param>
    /// <param name="tools">The functions of the request.</param>
    /// <param name="isMark">Whether a tag is a token of the vocabulary: then its letters alone are text.</param>
    public TaggedAnswerReader(IReadOnlyList<CallSyntax> syntaxes, ReasoningTags? reasoning, bool startsInReasoning, ToolSet tools, Func<string, bool> isMark)
    {
        (_syntaxes, _reasoning, _tools) = (syntaxes, reasoning, tools);
        string[] ends = reasoning is null || isMark(reasoning.End) ? [] : [reasoning.End];
        string[] starts = reasoning is null || isMark(reasoning.Start) ? [] : [reasoning.Start];
        _answerTags = new TagScan([.. syntaxes.SelectMany(s => s.Openers).Where(tag => !isMark(tag)), .. starts, .. ends]);
        _reasoningTags = new TagScan(ends);
        _state = startsInReasoning && reasoning is not null ? State.Reasoning : State.Start;
        _trims = _state == State.Reasoning;
    }

    private enum State
    {
        /// <summary>Nothing but space was written yet.</summary>
        Start,
        Text,
        Reasoning,
        Calls,
    }

    public override bool IsReasoning => _state == State.Reasoning;

    public override bool IsCalling => _state == State.Calls;

    public override void Append(string text, List<AnswerPart> parts)
    {
        var held = _held.Length == 0 ? text : _held + text;
        var at = 0;
        while (at < held.Length && Step(held, ref at, parts))
        {
        }

        _held = held[at..];
    }

    public override void AppendMark(string mark, List<AnswerPart> parts)
    {
        if (_state == State.Calls)
        {
            _call.Append(mark);
            return;
        }

        // What is held back was waiting for letters of a tag, and a token is none.
        var held = _held;
        _held = "";
        Meet(mark, held, parts);
    }

    public override void End(bool isWhole, List<AnswerPart> parts)
    {
        if (_state != State.Calls)
        {
            Give(_state == State.Reasoning ? _held.TrimEnd() : _held, parts);
        }
        else if (_isBare)
        {
            _calls!.ReadBare(_call.ToString(), _tools, isWhole, parts);
        }
        else
        {
            _calls!.Read(_call.ToString(), _tools, isWhole, parts);
        }
    }

    /// <summary>Handles what is held as far as it is certain; false when it has to wait.</summary>
    private bool Step(string held, ref int at, List<AnswerPart> parts)
    {
        if (_state == State.Calls)
        {
            _call.Append(held, at, held.Length - at);
            at = held.Length;
            return false;
        }

        if (_trims)
        {
            while (at < held.Length && char.IsWhiteSpace(held[at]))
            {
                at++;
            }

            if (at == held.Length || (_state == State.Reasoning && !SkipLabel(held, ref at)))
            {
                return false;
            }
        }

        _trims = false;
        if (_state == State.Start && Begin(held[at..]) is var began && began != true)
        {
            return began is not null;
        }

        var tags = _state == State.Reasoning ? _reasoningTags : _answerTags;
        var (found, tag) = tags.Find(held, at);
        if (tag is not null)
        {
            var before = held[at..found];
            at = found + tag.Length;
            Meet(tag, before, parts);
            return true;
        }

        var certain = tags.Certain(held, at);
        Give(held[at..certain], parts);
        at = certain;
        return false;
    }

    /// <summary>Steps over the word behind the tag that opened reasoning; false while it is not clear whether it is there.</summary>
    private bool SkipLabel(string held, ref int at)
    {
        if (_reasoning!.Label is not { } label)
        {
            return true;
        }

        var rest = held.AsSpan(at);
        if (rest.Length < label.Length && label.AsSpan().StartsWith(rest, StringComparison.Ordinal))
        {
            return false;
        }

        _reasoning = _reasoning with { Label = null };
        if (rest.StartsWith(label, StringComparison.Ordinal))
        {
            at += label.Length;
            while (at < held.Length && char.IsWhiteSpace(held[at]))
            {
                at++;
            }
        }

        return at < held.Length;
    }

    /// <summary>The first letters: true where they are text, false where they begin calls, null where more must come.</summary>
    private bool? Begin(string held)
    {
        var text = held.TrimStart();
        var waits = text.Length == 0;
        foreach (var syntax in waits ? [] : _syntaxes)
        {
            switch (syntax.BeginsBare(text))
            {
                case true:
                    (_state, _calls, _isBare) = (State.Calls, syntax, true);
                    return false;
                case null:
                    waits = true;
                    break;
            }
        }

        if (waits && _syntaxes.Count > 0 && held.Length < MaxUndecided)
        {
            return null;
        }

        _state = State.Text;
        return true;
    }

    /// <summary>A tag came, behind <paramref name="before"/>.</summary>
    private void Meet(string tag, string before, List<AnswerPart> parts)
    {
        if (_state == State.Reasoning)
        {
            if (string.Equals(tag, _reasoning!.End, StringComparison.Ordinal))
            {
                Give(before.TrimEnd(), parts);
                (_state, _trims) = (State.Start, true);
            }
            else
            {
                Give(before + tag, parts);
            }

            return;
        }

        if (_reasoning is not null && string.Equals(tag, _reasoning.Start, StringComparison.Ordinal))
        {
            Give(before.TrimEnd(), parts);
            (_state, _trims) = (State.Reasoning, true);
        }
        else if (_syntaxes.FirstOrDefault(s => s.Openers.Contains(tag, StringComparer.Ordinal)) is { } syntax)
        {
            Give(before.TrimEnd(), parts);
            (_state, _calls) = (State.Calls, syntax);
            _call.Append(tag);
        }
        else
        {
            // The end of what never began, or a tag that belongs into calls alone: no text.
            Give(before, parts);
        }
    }

    private void Give(string text, List<AnswerPart> parts)
    {
        if (text.Length > 0)
        {
            if (_state == State.Start)
            {
                _state = State.Text;
            }

            parts.Add(new AnswerPart(_state == State.Reasoning ? AnswerPartKind.Reasoning : AnswerPartKind.Text, text));
        }
    }
}
