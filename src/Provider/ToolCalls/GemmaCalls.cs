using System.Text.Json;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Gemma 4 and FunctionGemma: <c>call:name{argument:value, ...}</c> between tokens, text between quotes of its own.</summary>
internal sealed class GemmaCalls(string opener, string closer, string quote) : CallSyntax
{
    public override IReadOnlyList<string> Openers { get; } = [opener];

    public override GrammarPart Grammar(CallGrammar grammar, bool isOpened)
    {
        var call = grammar.EachTool((name, schema) => CallGrammar.Join(CallGrammar.Text("call:" + name), Object(grammar, schema, 0), grammar.Tag(closer)));
        var opened = CallGrammar.Join(grammar.Tag(opener), call);
        var first = isOpened ? call : opened;
        return grammar.IsMultiple ? CallGrammar.Join(first, GrammarPart.Repeat(opened, 0)) : first;
    }

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

    private GrammarPart Object(CallGrammar grammar, JsonElement schema, int depth) => CallGrammar.Join(
        CallGrammar.Text("{"),
        CallGrammar.Separated(schema, ",", (key, type) => CallGrammar.Join(CallGrammar.Text(key + ":"), Value(grammar, type, depth + 1))),
        CallGrammar.Text("}"));

    private GrammarPart Value(CallGrammar grammar, JsonElement schema, int depth)
    {
        const int MaxDepth = 16;
        var mark = grammar.Tag(quote);
        if (CallGrammar.Words(schema) is { } words)
        {
            return CallGrammar.Join(mark, CallGrammar.Choose([.. words.Select(CallGrammar.Text)]), mark);
        }

        switch (CallGrammar.TypeOf(schema))
        {
            case "integer" or "number" or "boolean" or "null":
                return CallGrammar.Value(schema);
            case "object" when depth < MaxDepth:
                return Object(grammar, schema, depth);
            case "array" when depth < MaxDepth:
                var item = schema.TryGetProperty("items", out var items) ? Value(grammar, items, depth + 1) : CallGrammar.JsonScalar();
                var (min, max) = (CallGrammar.Length(schema, "minItems") ?? 0, CallGrammar.Length(schema, "maxItems"));
                var some = CallGrammar.Join(item, GrammarPart.Repeat(CallGrammar.Join(CallGrammar.Text(","), item), Math.Max(0, min - 1), max is null ? null : Math.Max(0, max.Value - 1)));
                return CallGrammar.Join(CallGrammar.Text("["), max == 0 ? CallGrammar.Text("") : GrammarPart.Repeat(some, min > 0 ? 1 : 0, 1), CallGrammar.Text("]"));
            default:
                // Control tokens are no text: the quote alone ends it. One that is letters is kept out of it by its first.
                return CallGrammar.Join(mark, CallGrammar.Bare(schema, free: "[^<]*"), mark);
        }
    }

    private bool Arguments(ref CallText text, Utf8JsonWriter json) => Literals.Gemma(ref text, json, quote);
}
