using System.Text.Json;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>DeepSeek V3.2 and MiniMax M2: <c>&lt;invoke name="f"&gt;&lt;parameter name="p" string="true"&gt;value&lt;/parameter&gt;&lt;/invoke&gt;</c> in a section.</summary>
/// <param name="opener">Begins the section.</param>
/// <param name="closer">Ends it.</param>
/// <param name="prefix">What the names of the inner tags begin with.</param>
internal sealed class InvokeCalls(string opener, string closer, string prefix) : CallSyntax
{
    private readonly string _invoke = $"<{prefix}invoke name=\"";
    private readonly string _invokeEnd = $"</{prefix}invoke>";
    private readonly string _parameter = $"<{prefix}parameter name=\"";
    private readonly string _parameterEnd = $"</{prefix}parameter>";

    public override IReadOnlyList<string> Openers { get; } = [opener];

    public override GrammarPart Grammar(CallGrammar grammar, bool isOpened)
    {
        var marksText = prefix.Length > 0;
        GrammarPart Parameter(string name, JsonElement type)
        {
            var isText = CallGrammar.IsText(type) || CallGrammar.Words(type) is not null;
            var attribute = !marksText ? "\">" : isText ? "\" string=\"true\">" : "\" string=\"false\">";
            return CallGrammar.Join(CallGrammar.Text(_parameter + name + attribute), CallGrammar.BareValue(type), CallGrammar.Text(_parameterEnd + "\n"));
        }

        var call = grammar.EachTool((name, schema) => CallGrammar.Join(CallGrammar.Text(_invoke + name + "\">\n"), CallGrammar.EachProperty(schema, Parameter), CallGrammar.Text(_invokeEnd + "\n")));
        return CallGrammar.Join(isOpened ? CallGrammar.Text("") : grammar.Tag(opener), CallGrammar.Text("\n"), grammar.Several(call, ""), grammar.Tag(closer));
    }

    protected override bool ReadCalls(ref CallText text, ToolSet tools, bool isWhole, List<ToolCall> calls)
    {
        text.Take(opener);
        text.SkipSpace();
        while (text.Take(_invoke))
        {
            if (text.UpTo("\">") is not { Length: > 0 } name
                || JsonWriting.Json(ref text, (ref CallText place, Utf8JsonWriter json) => Parameters(ref place, json, name, tools)) is not { } arguments)
            {
                return false;
            }

            calls.Add(ToolCall.Of(name, null, arguments));
            text.SkipSpace();
        }

        text.Take(closer);
        return calls.Count > 0;
    }

    private bool Parameters(ref CallText text, Utf8JsonWriter json, string function, ToolSet tools)
    {
        json.WriteStartObject();
        while (true)
        {
            text.SkipSpace();
            if (text.Take(_invokeEnd))
            {
                json.WriteEndObject();
                return true;
            }

            if (!text.Take(_parameter) || text.UpTo("\"") is not { Length: > 0 } name || text.UpTo(">") is not { } attributes || text.UpTo(_parameterEnd) is not { } value)
            {
                return false;
            }

            json.WritePropertyName(name);
            var isText = attributes.Trim() switch
            {
                "string=\"true\"" => true,
                "string=\"false\"" => false,
                _ => tools.IsText(tools.Resolve(function), name),
            };
            BareValues.Write(json, value, isText);
        }
    }
}
