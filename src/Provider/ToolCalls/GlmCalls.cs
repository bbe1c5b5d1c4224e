using System.Text.Json;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>GLM 4.5 and later: the name, then keys and values between tags of their own.</summary>
internal sealed class GlmCalls : CallSyntax
{
    private const string Start = "<tool_call>";
    private const string End = "</tool_call>";

    public override IReadOnlyList<string> Openers { get; } = [Start];

    public override GrammarPart Grammar(CallGrammar grammar, bool isOpened)
    {
        GrammarPart Pair(string key, JsonElement type) => CallGrammar.Join(
            grammar.Tag("<arg_key>"), CallGrammar.Text(key), grammar.Tag("</arg_key>"), CallGrammar.Text("\n"),
            grammar.Tag("<arg_value>"), CallGrammar.BareValue(type), grammar.Tag("</arg_value>"), CallGrammar.Text("\n"));

        var call = CallGrammar.Join(grammar.EachTool((name, schema) => CallGrammar.Join(CallGrammar.Text(name + "\n"), CallGrammar.EachProperty(schema, Pair))), grammar.Tag(End));
        var opened = CallGrammar.Join(isOpened ? CallGrammar.Text("") : grammar.Tag(Start), call);
        return grammar.IsMultiple ? CallGrammar.Join(opened, GrammarPart.Repeat(CallGrammar.Join(CallGrammar.Text("\n"), grammar.Tag(Start), call), 0)) : opened;
    }

    protected override bool ReadCalls(ref CallText text, ToolSet tools, bool isWhole, List<ToolCall> calls)
    {
        text.Take(Start);
        text.SkipSpace();
        if (text.Current == '{')
        {
            if (text.Json() is not { } json || !CallObjects.Add(json, calls))
            {
                return false;
            }

            text.SkipSpace();
            text.Take(End);
            return true;
        }

        var name = text.Word();
        if (name.Length == 0 || JsonWriting.Json(ref text, (ref CallText place, Utf8JsonWriter writer) => Pairs(ref place, writer, name, tools)) is not { } arguments)
        {
            return false;
        }

        calls.Add(ToolCall.Of(name, null, arguments));
        return true;
    }

    private static bool Pairs(ref CallText text, Utf8JsonWriter json, string function, ToolSet tools)
    {
        json.WriteStartObject();
        while (true)
        {
            text.SkipSpace();
            if (text.Take(End))
            {
                json.WriteEndObject();
                return true;
            }

            if (!text.Take("<arg_key>") || text.UpTo("</arg_key>")?.Trim() is not { Length: > 0 } key)
            {
                return false;
            }

            text.SkipSpace();
            if (!text.Take("<arg_value>") || text.UpTo("</arg_value>") is not { } value)
            {
                return false;
            }

            json.WritePropertyName(key);
            BareValues.Write(json, value, tools.IsText(tools.Resolve(function), key));
        }
    }
}
