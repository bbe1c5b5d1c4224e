using System.Text.Json;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>A list of calls as Python writes them, <c>[name(argument=value), ...]</c>: LFM2 between tokens, Llama 3.2 and 4 as the whole answer.</summary>
/// <param name="openers">What begins the list; empty where the answer begins with it.</param>
/// <param name="closers">What may end it.</param>
internal sealed class PythonCalls(IReadOnlyList<string> openers, IReadOnlyList<string> closers) : CallSyntax
{
    public override IReadOnlyList<string> Openers => openers;

    /// <summary>A bracket, a name and a parenthesis.</summary>
    public override bool? BeginsBare(string text)
    {
        if (openers.Count > 0 || text[0] != '[')
        {
            return false;
        }

        var place = new CallText(text, 1, text.Length);
        place.SkipSpace();
        var name = place.Word();
        return place.AtEnd ? null : name.Length > 0 && place.Current == '(';
    }

    /// <summary>Reads <c>name(argument=value, ...)</c>; <c>name.call(...)</c> is a call of name.</summary>
    public static bool ReadCall(ref CallText text, List<ToolCall> calls)
    {
        const string Method = ".call";
        text.SkipSpace();
        var name = text.Word();
        if (name.Length == 0 || !text.Take("("))
        {
            return false;
        }

        if (name.Length > Method.Length && name.EndsWith(Method, StringComparison.Ordinal))
        {
            name = name[..^Method.Length];
        }

        if (JsonWriting.Json(ref text, Arguments) is not { } json)
        {
            return false;
        }

        calls.Add(ToolCall.Of(name, null, json));
        return true;
    }

    public override GrammarPart? BareText => openers.Count > 0 ? null : CallGrammar.NotBeginning("[");

    public override GrammarPart Grammar(CallGrammar grammar, bool isOpened)
    {
        // JSON's values are Python's here: the reader takes true for True.
        var call = grammar.EachTool((name, schema) => CallGrammar.Join(
            CallGrammar.Text(name + "("),
            CallGrammar.Separated(schema, ", ", (argument, type) => CallGrammar.Join(CallGrammar.Text(argument + "="), CallGrammar.Value(type))),
            CallGrammar.Text(")")));
        return CallGrammar.Join(
            isOpened || openers.Count == 0 ? CallGrammar.Text("") : grammar.Tag(openers[0]),
            CallGrammar.Text("["), grammar.Several(call, ", "), CallGrammar.Text("]"),
            closers.Count == 0 ? CallGrammar.Text("") : grammar.Tag(closers[0]));
    }

    protected override bool ReadCalls(ref CallText text, ToolSet tools, bool isWhole, List<ToolCall> calls)
    {
        var isTagged = text.TakeAny(openers);
        text.SkipSpace();
        var isList = text.Take("[");
        do
        {
            text.SkipSpace();
            if (calls.Count > 0 && text.Sees("]"))
            {
                break;
            }

            if (!ReadCall(ref text, calls))
            {
                return false;
            }

            text.SkipSpace();
        }
        while (text.Take(","));

        if (isList && !text.Take("]"))
        {
            return false;
        }

        text.SkipSpace();
        text.TakeAny(closers);
        return isTagged || (text.AtEnd && calls.TrueForAll(call => tools.Contains(call.Name)));
    }

    private static bool Arguments(ref CallText text, Utf8JsonWriter json)
    {
        json.WriteStartObject();
        while (true)
        {
            text.SkipSpace();
            if (text.Take(")"))
            {
                json.WriteEndObject();
                return true;
            }

            var name = text.Word();
            text.SkipSpace();
            if (name.Length == 0 || !text.Take("="))
            {
                return false;
            }

            json.WritePropertyName(name);
            if (!Literals.Python(ref text, json))
            {
                return false;
            }

            text.SkipSpace();
            if (!text.Take(",") && !text.Sees(")"))
            {
                return false;
            }
        }
    }
}
