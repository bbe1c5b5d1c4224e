using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Mistral: <c>[TOOL_CALLS]</c> and an array of objects, or the name, perhaps <c>[CALL_ID]</c> and an id, <c>[ARGS]</c> and an object.</summary>
/// <param name="isNamed">The model writes names and arguments, rather than an array of objects.</param>
internal sealed class MistralCalls(bool isNamed) : CallSyntax
{
    private const string Start = "[TOOL_CALLS]";
    private const string CallId = "[CALL_ID]";
    private const string Args = "[ARGS]";

    public override IReadOnlyList<string> Openers { get; } = [Start];

    public override GrammarPart Grammar(CallGrammar grammar, bool isOpened)
    {
        var open = isOpened ? CallGrammar.Text("") : grammar.Tag(Start);
        if (!isNamed)
        {
            return CallGrammar.Join(open, CallGrammar.Text("["), grammar.Several(grammar.EachTool(new JsonForm().Call), ", "), CallGrammar.Text("]"));
        }

        var call = grammar.EachTool((name, schema) => CallGrammar.Join(CallGrammar.Text(name), grammar.Tag(Args), CallGrammar.Arguments(schema)));
        return CallGrammar.Join(open, call, grammar.IsMultiple ? GrammarPart.Repeat(CallGrammar.Join(grammar.Tag(Start), call), 0) : CallGrammar.Text(""));
    }

    protected override bool ReadCalls(ref CallText text, ToolSet tools, bool isWhole, List<ToolCall> calls)
    {
        text.Take(Start);
        text.SkipSpace();
        if (text.Current is '[' or '{')
        {
            return text.Json() is { } array && CallObjects.Add(array, calls);
        }

        var name = text.Word();
        text.SkipSpace();
        var id = text.Take(CallId) ? text.Word() : null;
        var hasMark = text.Take(Args);
        text.SkipSpace();
        if (name.Length == 0 || (!hasMark && text.Current != '{'))
        {
            return false;
        }

        var start = text.At;
        if (text.Json() is { } json)
        {
            calls.Add(ToolCall.Of(name, id, json));
            return true;
        }

        if (!isWhole && text.Text.IndexOf(Start, start, StringComparison.Ordinal) < 0)
        {
            return false;
        }

        var next = text.Text.IndexOf(Start, start, text.Limit - start, StringComparison.Ordinal);
        next = next < 0 ? text.Limit : next;
        calls.Add(ToolCall.Of(name, id, text.Text.AsSpan(start, next - start)));
        text.At = next;
        return true;
    }
}
