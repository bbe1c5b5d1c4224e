using System.Text.Json;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>JSON objects, or an array of them, between tags: Hermes and Qwen, Granite, Phi, Cohere, Apertus, Apriel, GigaChat, and our own section.</summary>
/// <param name="openers">What begins calls.</param>
/// <param name="closers">What may end them.</param>
/// <param name="form">How the family writes them itself.</param>
internal sealed class TaggedJson(IReadOnlyList<string> openers, IReadOnlyList<string> closers, JsonForm? form = null) : CallSyntax
{
    private readonly JsonForm _form = form ?? new JsonForm();

    public override IReadOnlyList<string> Openers => openers;

    public override GrammarPart Grammar(CallGrammar grammar, bool isOpened)
    {
        var call = grammar.EachTool(_form.Call);
        var open = isOpened ? CallGrammar.Text("") : grammar.Tag(openers[0]);
        var close = closers.Count > 0 ? grammar.Tag(closers[0]) : CallGrammar.Text("");
        if (_form.IsArray)
        {
            return CallGrammar.Join(open, CallGrammar.Text("["), grammar.Several(call, ", "), CallGrammar.Text("]"), close);
        }

        var (start, end) = _form.HasLines ? (CallGrammar.Text("\n"), CallGrammar.Text("\n")) : (CallGrammar.Text(""), CallGrammar.Text(""));
        var first = CallGrammar.Join(open, start, call, end, close);
        return !grammar.IsMultiple ? first
            : CallGrammar.Join(first, GrammarPart.Repeat(CallGrammar.Join(start, grammar.Tag(openers[0]), start, call, end, close), 0));
    }

    protected override bool ReadCalls(ref CallText text, ToolSet tools, bool isWhole, List<ToolCall> calls)
    {
        text.TakeAny(openers);
        text.SkipSpace();
        var start = text.At;
        do
        {
            var place = text.At;
            if (text.Json() is not { } json || !CallObjects.Add(json, calls))
            {
                text.At = place;
                break;
            }

            text.SkipSpace();
            while (text.Current is ',' or ';')
            {
                text.At++;
                text.SkipSpace();
            }
        }
        while (text.Current is '{' or '[');

        if (calls.Count == 0 && !Salvage(ref text, start, isWhole, calls))
        {
            return false;
        }

        text.TakeAny(closers);
        return true;
    }

    /// <summary>A call with a name and arguments that are no JSON is a call all the same, with an error for its caller.</summary>
    private bool Salvage(ref CallText text, int start, bool isWhole, List<ToolCall> calls)
    {
        var end = -1;
        foreach (var closer in closers)
        {
            var found = text.Text.AsSpan(start, text.Limit - start).IndexOf(closer, StringComparison.Ordinal);
            end = found >= 0 && (end < 0 || start + found < end) ? start + found : end;
        }

        if (end < 0 && !isWhole)
        {
            return false;
        }

        end = end < 0 ? text.Limit : end;
        var broken = text.Text.AsSpan(start, end - start);
        if (CallObjects.NameOf(broken) is not { } name)
        {
            return false;
        }

        calls.Add(ToolCall.Broken(name, null, new JsonException($"The call is not valid JSON: {Quoted.Text(broken.ToString())}.")));
        text.At = end;
        return true;
    }
}
