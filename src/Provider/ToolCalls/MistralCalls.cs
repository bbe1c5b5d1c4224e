namespace KvPrefetch.AI.ToolCalls;

/// <summary>Mistral: <c>[TOOL_CALLS]</c> and an array of objects, or the name, perhaps <c>[CALL_ID]</c> and an id, <c>[ARGS]</c> and an object.</summary>
internal sealed class MistralCalls : CallSyntax
{
    private const string Start = "[TOOL_CALLS]";
    private const string CallId = "[CALL_ID]";
    private const string Args = "[ARGS]";

    public override IReadOnlyList<string> Openers { get; } = [Start];

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
