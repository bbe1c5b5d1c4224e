using System.Text.Json;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Qwen3-Coder, Nemotron, Seed: <c>&lt;function=name&gt;&lt;parameter=name&gt;value&lt;/parameter&gt;&lt;/function&gt;</c> between tags; Functionary 3.1 with JSON in the function.</summary>
/// <param name="opener">The tag around functions; null where there is none.</param>
/// <param name="closer">Its end.</param>
internal sealed class XmlCalls(string? opener, string? closer) : CallSyntax
{
    private const string Function = "<function=";
    private const string FunctionEnd = "</function>";
    private const string Parameter = "<parameter=";
    private const string ParameterEnd = "</parameter>";

    public override IReadOnlyList<string> Openers { get; } = [opener ?? Function];

    public override GrammarPart Grammar(CallGrammar grammar, bool isOpened)
    {
        if (opener is null)
        {
            var json = grammar.EachTool((name, schema) => CallGrammar.Join(CallGrammar.Text(name + ">"), CallGrammar.Arguments(schema), CallGrammar.Text(FunctionEnd)));
            var first = CallGrammar.Join(isOpened ? CallGrammar.Text("") : grammar.Tag(Function), json);
            return grammar.IsMultiple ? CallGrammar.Join(first, GrammarPart.Repeat(CallGrammar.Join(grammar.Tag(Function), json), 0)) : first;
        }

        var call = CallGrammar.Join(
            CallGrammar.Text("\n"),
            grammar.EachTool((name, schema) => CallGrammar.Join(
                CallGrammar.Text(Function + name + ">\n"),
                CallGrammar.EachProperty(schema, (parameter, type) => CallGrammar.Join(CallGrammar.Text(Parameter + parameter + ">\n"), CallGrammar.BareValue(type), CallGrammar.Text("\n" + ParameterEnd + "\n"))),
                CallGrammar.Text(FunctionEnd + "\n"))),
            grammar.Tag(closer!));
        var opened = CallGrammar.Join(isOpened ? CallGrammar.Text("") : grammar.Tag(opener), call);
        return grammar.IsMultiple ? CallGrammar.Join(opened, GrammarPart.Repeat(CallGrammar.Join(CallGrammar.Text("\n"), grammar.Tag(opener), call), 0)) : opened;
    }

    protected override bool ReadCalls(ref CallText text, ToolSet tools, bool isWhole, List<ToolCall> calls)
    {
        if (opener is not null)
        {
            text.Take(opener);
        }

        text.SkipSpace();
        if (text.Current == '{')
        {
            // A model that was taught the other form by its siblings.
            return text.Json() is { } json && CallObjects.Add(json, calls) && TakeCloser(ref text);
        }

        while (text.Take(Function))
        {
            if (!ReadFunction(ref text, tools, calls))
            {
                return false;
            }

            text.SkipSpace();
        }

        return calls.Count > 0 && TakeCloser(ref text);
    }

    private static bool ReadFunction(ref CallText text, ToolSet tools, List<ToolCall> calls)
    {
        var name = text.UpTo(">")?.Trim();
        if (string.IsNullOrEmpty(name) || name.Contains('<', StringComparison.Ordinal))
        {
            return false;
        }

        text.SkipSpace();
        if (text.Current == '{')
        {
            var start = text.At;
            if (text.Json() is { } json)
            {
                calls.Add(ToolCall.Of(name, null, json));
                text.SkipSpace();
                return text.Take(FunctionEnd) || text.AtEnd;
            }

            text.At = start;
            if (text.UpTo(FunctionEnd) is not { } broken)
            {
                return false;
            }

            calls.Add(ToolCall.Of(name, null, broken));
            return true;
        }

        var arguments = JsonWriting.Json(ref text, (ref CallText place, Utf8JsonWriter writer) => Parameters(ref place, writer, name, tools));
        if (arguments is null)
        {
            return false;
        }

        calls.Add(ToolCall.Of(name, null, arguments));
        return true;
    }

    private static bool Parameters(ref CallText text, Utf8JsonWriter json, string function, ToolSet tools)
    {
        json.WriteStartObject();
        while (true)
        {
            text.SkipSpace();
            if (text.Take(FunctionEnd))
            {
                json.WriteEndObject();
                return true;
            }

            if (!text.Take(Parameter) || text.UpTo(">")?.Trim() is not { Length: > 0 } name || Value(ref text) is not { } value)
            {
                return false;
            }

            json.WritePropertyName(name);
            BareValues.Write(json, BareValues.Trim(value), tools.IsText(tools.Resolve(function), name));
        }
    }

    /// <summary>A value ends at its closing tag behind which the function goes on or ends: the tag alone may be part of a text about tags.</summary>
    private static string? Value(ref CallText text)
    {
        var start = text.At;
        while (text.UpTo(ParameterEnd) is not null)
        {
            var end = text.At - ParameterEnd.Length;
            var ahead = text;
            ahead.SkipSpace();
            if (ahead.AtEnd || ahead.Sees(Parameter) || ahead.Sees(FunctionEnd))
            {
                return text.Text[start..end];
            }
        }

        return null;
    }

    private bool TakeCloser(ref CallText text)
    {
        text.SkipSpace();
        if (closer is not null)
        {
            text.Take(closer);
        }

        return true;
    }
}
