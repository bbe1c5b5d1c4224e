using System.Buffers;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>How one family of models writes calls. Reading is one pass over the text, and nothing that a model writes is an exception.</summary>
internal abstract class CallSyntax
{
    // A model that goes on and on means none of them.
    private const int MaxCalls = 256;

    private readonly Lazy<SearchValues<string>> _openers;

    protected CallSyntax() => _openers = new Lazy<SearchValues<string>>(() => SearchValues.Create([.. Openers], StringComparison.Ordinal));

    /// <summary>What begins a call. Where the vocabulary has it as a token, only that token does.</summary>
    public abstract IReadOnlyList<string> Openers { get; }

    /// <summary>Whether text without opener, at the beginning of the answer, is a call: true, false, or null while it cannot be said.</summary>
    /// <param name="text">The answer so far, from its first character that is no space.</param>
    public virtual bool? BeginsBare(string text) => false;

    /// <summary>Reads calls and the text between them.</summary>
    /// <param name="text">The answer from the first opener on.</param>
    /// <param name="tools">The functions of the request.</param>
    /// <param name="isWhole">False where the answer was cut: what is not finished is then no call with broken arguments.</param>
    /// <param name="parts">Receives what was read.</param>
    public void Read(string text, ToolSet tools, bool isWhole, List<AnswerPart> parts)
    {
        var (at, broken) = (0, -1);
        var calls = new List<ToolCall>();
        var count = 0;
        while (at < text.Length)
        {
            var next = Next(text, at);
            if (broken < 0)
            {
                AddText(text[at..next], parts);
            }

            if ((at = next) == text.Length)
            {
                break;
            }

            if (count >= MaxCalls)
            {
                broken = broken < 0 ? at : broken;
                break;
            }

            // Once something did not end, nothing may read beyond the next opener: the whole stays one pass.
            var limit = broken < 0 ? text.Length : Next(text, at + 1);
            var place = new CallText(text, at, limit);
            calls.Clear();
            if (ReadCalls(ref place, tools, isWhole, calls) && calls.Count > 0 && place.At > at)
            {
                if (broken >= 0)
                {
                    parts.Add(new AnswerPart(AnswerPartKind.Malformed, text[broken..at]));
                    broken = -1;
                }

                parts.AddRange(calls.Select(call => new AnswerPart(AnswerPartKind.Call, "", call with { Name = tools.Resolve(call.Name) })));
                count += calls.Count;
                at = place.At;
            }
            else
            {
                broken = broken < 0 ? at : broken;
                at++;
            }
        }

        if (broken >= 0)
        {
            parts.Add(new AnswerPart(AnswerPartKind.Malformed, text[broken..]));
        }
    }

    /// <summary>Reads an answer that began bare; one that is no call after all is text.</summary>
    public void ReadBare(string text, ToolSet tools, bool isWhole, List<AnswerPart> parts)
    {
        var place = new CallText(text, 0, text.Length);
        var calls = new List<ToolCall>();
        place.SkipSpace();
        if (ReadCalls(ref place, tools, isWhole, calls) && calls.Count > 0)
        {
            parts.AddRange(calls.Select(call => new AnswerPart(AnswerPartKind.Call, "", call with { Name = tools.Resolve(call.Name) })));
            Read(text[place.At..], tools, isWhole, parts);
        }
        else
        {
            parts.Add(new AnswerPart(AnswerPartKind.Text, text));
        }
    }

    /// <summary>The openers that begin what <see cref="Grammar"/> describes.</summary>
    public virtual IReadOnlyList<string> Triggers => Openers;

    /// <summary>What a call, or a run of them, looks like from its opener on.</summary>
    /// <param name="grammar">Tags and functions.</param>
    /// <param name="isOpened">The opener was written already.</param>
    public abstract GrammarPart Grammar(CallGrammar grammar, bool isOpened);

    /// <summary>Text that is no call, for formats whose calls begin bare; null for any text.</summary>
    public virtual GrammarPart? BareText => null;

    /// <summary>Reads the calls that begin here, with an opener or bare; false where there are none.</summary>
    protected abstract bool ReadCalls(ref CallText text, ToolSet tools, bool isWhole, List<ToolCall> calls);

    private static void AddText(string text, List<AnswerPart> parts)
    {
        if (!string.IsNullOrWhiteSpace(text))
        {
            parts.Add(new AnswerPart(AnswerPartKind.Text, parts.Count > 0 ? text.Trim() : text));
        }
    }

    private int Next(string text, int from)
    {
        var found = text.AsSpan(from).IndexOfAny(_openers.Value);
        return found < 0 ? text.Length : from + found;
    }
}
