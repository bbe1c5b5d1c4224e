using System.Text.Json;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Gemma 4 and FunctionGemma: <c>call:name{argument:value, ...}</c> between tokens, text between quotes of its own.</summary>
internal sealed class GemmaCalls(string opener, string closer, string quote) : CallSyntax
{
    public override IReadOnlyList<string> Openers { get; } = [opener];

    protected override bool ReadCalls(ref CallText text, ToolSet tools, bool isWhole, List<ToolCall> calls)
    {
        text.Take(opener);
        text.SkipSpace();
        if (!text.Take("call:"))
        {
            return false;
        }

        var name = text.Word();
        text.SkipSpace();
        if (name.Length == 0 || text.Current != '{')
        {
            return false;
        }

        var start = text.At;
        if (JsonWriting.Json(ref text, Arguments) is { } json)
        {
            calls.Add(ToolCall.Of(name, null, json));
            text.SkipSpace();
            text.Take(closer);
            return true;
        }

        text.At = start;
        if (text.UpTo(closer) is null)
        {
            return false;
        }

        calls.Add(ToolCall.Broken(name, null, new JsonException($"The arguments cannot be read: {Quoted.Text(text.Text[start..text.At])}.")));
        return true;
    }

    private bool Arguments(ref CallText text, Utf8JsonWriter json) => Literals.Gemma(ref text, json, quote);
}
