using System.Text;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Functionary 3.2: an answer is a row of messages, each behind a line that says whom it is for: <c>all</c> is text, the name of a function is a call with its arguments. The prompt has written the
/// <c>&gt;&gt;&gt;</c> before the first; it stands before each that follows. From the first call on everything is kept until the end.</summary>
internal sealed class RecipientAnswerReader(ToolSet tools, bool readsCalls) : AnswerReader
{
    /// <summary>Stands before each message.</summary>
    public const string Mark = ">>>";

    /// <summary>Whom text is for.</summary>
    public const string All = "all";

    // No name is longer; a model that writes none at all is read as text.
    private const int MaxName = 64;

    // Space that is held back because it may stand before a message.
    private const int MaxSpace = 64;

    // A model that goes on and on means none of them.
    private const int MaxCalls = 256;

    private readonly StringBuilder _calls = new();
    private string _held = "";
    private bool _begins = true;
    private bool _hasText;
    private bool _separates;

    public override bool IsReasoning => false;

    public override bool IsCalling => _calls.Length > 0;

    public override void Append(string text, List<AnswerPart> parts)
    {
        if (IsCalling)
        {
            _calls.Append(text);
        }
        else
        {
            Read(_held + text, isLast: false, parts);
        }
    }

    public override void AppendMark(string mark, List<AnswerPart> parts) => Append(mark, parts);

    public override void End(bool isWhole, List<AnswerPart> parts)
    {
        if (!IsCalling)
        {
            Read(_held, isLast: true, parts);
        }

        if (IsCalling)
        {
            ReadCalls(_calls.ToString(), isWhole, parts);
        }
    }

    private void Read(string held, bool isLast, List<AnswerPart> parts)
    {
        var at = 0;
        while (Step(held, ref at, isLast, parts))
        {
        }

        _held = held[at..];
    }

    /// <summary>Handles what is held up to the next message; false when it has to wait or there is nothing more.</summary>
    private bool Step(string held, ref int at, bool isLast, List<AnswerPart> parts)
    {
        var found = at;
        var name = _begins ? FirstName(held, isLast, out found) : NextName(held, ref found, isLast);
        if (_begins && name is null)
        {
            return false;
        }

        var begun = _begins;
        _begins = false;
        if (name is { Length: > 0 })
        {
            Give(held[at..Trimmed(held, at, found)], parts);
            at = found + (held.AsSpan(found).StartsWith(Mark, StringComparison.Ordinal) ? Mark.Length : 0) + name.Length + 1;
            if (string.Equals(name, All, StringComparison.Ordinal))
            {
                _separates = _hasText;
                return true;
            }

            _calls.Append(held, found, held.Length - found);
            at = held.Length;
            return false;
        }

        if (begun)
        {
            return true; // it has no first line: all of it is text
        }

        return Flush(held, ref at, name is null ? found : held.Length, isLast, parts);
    }

    /// <summary>Gives out text up to a place, without space at its end that may stand before a message.</summary>
    private bool Flush(string held, ref int at, int to, bool isLast, List<AnswerPart> parts)
    {
        var certain = isLast ? held.Length : Trimmed(held, at, to);
        Give(held[at..certain], parts);
        at = certain;
        return false;
    }

    private static int Trimmed(string text, int from, int to)
    {
        var end = to;
        while (end > from && to - end < MaxSpace && char.IsWhiteSpace(text[end - 1]))
        {
            end--;
        }

        return end;
    }

    /// <summary>The recipient of the first line: "" where it is none, null while that cannot be said.</summary>
    private string? FirstName(string held, bool isLast, out int found)
    {
        found = 0;
        return Mark.StartsWith(held, StringComparison.Ordinal) && !isLast ? null : NameAt(held, held.StartsWith(Mark, StringComparison.Ordinal) ? Mark.Length : 0, isLast);
    }

    /// <summary>The recipient of the next message, and where its mark is; "" where none comes, null where one may begin.</summary>
    private string? NextName(string held, ref int at, bool isLast)
    {
        for (; (at = held.IndexOf(Mark[0], at)) >= 0; at++)
        {
            var rest = held.AsSpan(at);
            var name = rest.StartsWith(Mark, StringComparison.Ordinal) ? NameAt(held, at + Mark.Length, isLast)
                : Mark.AsSpan().StartsWith(rest, StringComparison.Ordinal) && !isLast ? null
                : "";
            if (name is not { Length: 0 })
            {
                return name;
            }
        }

        return "";
    }

    /// <summary>The recipient whose line begins here: "" where none does, null while that cannot be said.</summary>
    private string? NameAt(string text, int at, bool isLast)
    {
        var place = new CallText(text, at, text.Length);
        var name = place.Word();
        return place.AtEnd && name.Length < MaxName && !isLast ? null
            : place.Current == '\n' && (string.Equals(name, All, StringComparison.Ordinal) || (readsCalls && tools.Contains(tools.Resolve(name)))) ? name
            : "";
    }

    private void Give(string text, List<AnswerPart> parts)
    {
        if (text.Length > 0)
        {
            parts.Add(new AnswerPart(AnswerPartKind.Text, _separates ? "\n\n" + text : text));
            (_hasText, _separates) = (true, false);
        }
    }

    private void ReadCalls(string text, bool isWhole, List<AnswerPart> parts)
    {
        var (at, isBroken) = (0, false);
        for (var count = 0; at < text.Length; count++)
        {
            var start = text.AsSpan(at).StartsWith(Mark, StringComparison.Ordinal) ? at + Mark.Length : at;
            if (count == MaxCalls || NameAt(text, start, isLast: true) is not { Length: > 0 } name)
            {
                // Behind a whole call nothing but another message is expected.
                parts.Add(new AnswerPart(AnswerPartKind.Malformed, text[start..].Trim()));
                return;
            }

            var from = start + name.Length + 1;
            var next = Next(text, from);

            // Once something did not end, nothing may read beyond the next message: the whole stays one pass.
            var place = new CallText(text, from, isBroken ? next : text.Length);
            place.SkipSpace();
            if (string.Equals(name, All, StringComparison.Ordinal))
            {
                _separates = _hasText;
                Give(text[from..next].Trim(), parts);
                at = next;
            }
            else if (place.Json() is { } json)
            {
                parts.Add(new AnswerPart(AnswerPartKind.Call, "", ToolCall.Of(tools.Resolve(name), null, json)));
                place.SkipSpace();
                at = place.At;
            }
            else
            {
                isBroken = true;
                parts.Add(next == text.Length && !isWhole ? new AnswerPart(AnswerPartKind.Malformed, text[start..])
                    : new AnswerPart(AnswerPartKind.Call, "", ToolCall.Of(tools.Resolve(name), null, text.AsSpan(from, next - from))));
                at = next;
            }
        }
    }

    private int Next(string text, int from)
    {
        var at = from;
        return NextName(text, ref at, isLast: true) is { Length: > 0 } ? at : text.Length;
    }
}
