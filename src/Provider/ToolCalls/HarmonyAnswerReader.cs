using System.Text;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>gpt-oss: an answer is a row of messages, each with a channel and perhaps a recipient in its header. Analysis is reasoning, a message to a function is a call, the rest is text.</summary>
internal sealed class HarmonyAnswerReader(ToolSet tools, bool readsCalls, Func<string, bool> isMark) : AnswerReader
{
    private const string Start = "<|start|>";
    private const string Channel = "<|channel|>";
    private const string Message = "<|message|>";
    private const string End1 = "<|end|>";
    private const string Call = "<|call|>";
    private const string Return = "<|return|>";
    private const string Constrain = "<|constrain|>";

    /// <summary>Ends a message of analysis and begins another.</summary>
    public const string ReasoningEnd = End1 + Start + "assistant";

    // No header is longer; a model that writes none at all is read as text.
    private const int MaxHeader = 256;

    private readonly TagScan _tags = new([.. Marks.Where(tag => !isMark(tag))]);
    private readonly StringBuilder _header = new();
    private readonly StringBuilder _arguments = new();
    private readonly List<AnswerPart> _calls = [];
    private string _held = "";
    private string? _function;
    private Kind _kind = Kind.Header;
    private bool _hasText;
    private bool _begins;

    private enum Kind
    {
        /// <summary>Between messages: the prompt opened the first one.</summary>
        Header,
        Text,
        Reasoning,
        Call,
    }

    /// <summary>The tokens of the format.</summary>
    public static IReadOnlyList<string> Marks { get; } = [Start, Channel, Message, End1, Call, Return, Constrain];

    public override bool IsReasoning => _kind == Kind.Reasoning;

    public override bool IsCalling => _kind == Kind.Call || _calls.Count > 0;

    public override void Append(string text, List<AnswerPart> parts)
    {
        var held = _held.Length == 0 ? text : _held + text;
        var at = 0;
        while (_tags.Find(held, at) is (var found, { } tag))
        {
            var before = held[at..found];
            at = found + tag.Length;
            Give(IsEnd(tag) ? before.TrimEnd() : before, parts);
            Meet(tag, isWhole: true, parts);
        }

        var certain = _tags.Certain(held, at);
        Give(held[at..certain], parts);
        _held = held[certain..];
    }

    public override void AppendMark(string mark, List<AnswerPart> parts)
    {
        var held = _held;
        _held = "";
        Give(IsEnd(mark) ? held.TrimEnd() : held, parts);
        Meet(mark, isWhole: true, parts);
    }

    public override void End(bool isWhole, List<AnswerPart> parts)
    {
        var held = _held;
        _held = "";
        if (_kind == Kind.Header)
        {
            var header = _header + held;
            _kind = Kind.Text;
            // A header alone is the beginning of a message that never came.
            Give(header.Contains(Channel, StringComparison.Ordinal) || header.StartsWith("assistant", StringComparison.Ordinal) ? "" : header, parts);
        }
        else
        {
            Give(held, parts);
            Meet(End1, isWhole, parts);
        }

        parts.AddRange(_calls);
    }

    private static bool IsEnd(string tag) => tag is End1 or Call or Return or Start;

    private void Meet(string tag, bool isWhole, List<AnswerPart> parts)
    {
        switch (tag)
        {
            case Message when _kind == Kind.Header:
                Open();
                break;
            case Channel or Constrain when _kind == Kind.Header:
                _header.Append(tag);
                break;
            case End1 or Call or Return or Start or Channel:
                Close(isWhole, parts);
                _header.Clear();
                _header.Append(tag is Channel ? tag : "");
                _kind = Kind.Header;
                break;
        }
    }

    private void Open()
    {
        var header = _header.ToString();
        var channel = header.IndexOf(Channel, StringComparison.Ordinal) is var at and >= 0 ? header[(at + Channel.Length)..].TrimStart() : "";
        _function = Recipient(header);
        _kind = _function is not null ? Kind.Call : channel.StartsWith("analysis", StringComparison.Ordinal) ? Kind.Reasoning : Kind.Text;
        _begins = true;
        _arguments.Clear();
    }

    private static string? Recipient(string header)
    {
        const string To = "to=";
        if (header.IndexOf(To, StringComparison.Ordinal) is not (var at and >= 0))
        {
            return null;
        }

        var place = new CallText(header, at + To.Length, header.Length);
        return place.Word() is { Length: > 0 } name && name is not ("assistant" or "user" or "all") ? name : null;
    }

    private void Close(bool isWhole, List<AnswerPart> parts)
    {
        if (_kind != Kind.Call)
        {
            return;
        }

        var arguments = _arguments.ToString();
        _calls.Add(isWhole && readsCalls
            ? new AnswerPart(AnswerPartKind.Call, "", ToolCall.Of(tools.Resolve(_function!), null, arguments))
            : new AnswerPart(AnswerPartKind.Malformed, arguments));
    }

    private void Give(string text, List<AnswerPart> parts)
    {
        if (text.Length == 0)
        {
            return;
        }

        switch (_kind)
        {
            case Kind.Header:
                _header.Append(text);
                if (_header.Length > MaxHeader)
                {
                    var lost = _header.ToString();
                    _kind = Kind.Text;
                    Give(lost, parts);
                }

                break;
            case Kind.Call:
                _arguments.Append(text);
                break;
            case Kind.Reasoning:
                parts.Add(new AnswerPart(AnswerPartKind.Reasoning, text));
                break;
            default:
                // A preamble and the answer are two messages of one response.
                parts.Add(new AnswerPart(AnswerPartKind.Text, _begins && _hasText ? "\n\n" + text : text));
                (_hasText, _begins) = (true, false);
                break;
        }
    }
}
