using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Llama 3.x: an answer that is nothing but a JSON call, perhaps behind <c>&lt;|python_tag|&gt;</c>; behind that tag also <c>name.call(argument=value)</c>.</summary>
internal sealed class BareJson : CallSyntax
{
    private const string PythonTag = "<|python_tag|>";
    private static readonly string[] Keys = ["name", "type", "function", "parameters", "arguments"];

    public override IReadOnlyList<string> Openers { get; } = [PythonTag];

    /// <summary>An object whose first member is one that calls have.</summary>
    public override bool? BeginsBare(string text)
    {
        var place = new CallText(text, 0, text.Length);
        while (place.Current is '[' && place.At == 0)
        {
            place.At++;
            place.SkipSpace();
        }

        if (!place.AtEnd && !place.Take("{"))
        {
            return false;
        }

        place.SkipSpace();
        if (!place.AtEnd && !place.Take("\""))
        {
            return false;
        }

        var key = place.Word();
        return !place.AtEnd ? place.Current is '"' && Keys.Contains(key, StringComparer.Ordinal)
            : Keys.Any(k => k.StartsWith(key, StringComparison.Ordinal)) ? null
            : false;
    }

    public override GrammarPart? BareText => CallGrammar.NotBeginning("{\"name\": \"");

    public override GrammarPart Grammar(CallGrammar grammar, bool isOpened) => grammar.Several(grammar.EachTool(new JsonForm { Arguments = "parameters" }.Call), "; ");

    protected override bool ReadCalls(ref CallText text, ToolSet tools, bool isWhole, List<ToolCall> calls)
    {
        var isTagged = text.Take(PythonTag);
        do
        {
            text.SkipSpace();
            if (text.Current is '{' or '[' && text.Json() is { } json)
            {
                if (!CallObjects.Add(json, calls))
                {
                    return false;
                }
            }
            else if (isTagged)
            {
                return PythonCalls.ReadCall(ref text, calls);
            }
            else
            {
                return calls.Count > 0;
            }

            text.SkipSpace();
        }
        while (text.Take(";") || text.Take(",") || text.Current is '{');

        // A JSON answer is no call of a function that nobody declared.
        return isTagged || calls.TrueForAll(call => tools.Contains(tools.Resolve(call.Name)));
    }
}
