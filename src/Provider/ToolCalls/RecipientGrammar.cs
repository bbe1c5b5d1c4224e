using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>Functionary 3.2: text behind a line <c>all</c>, calls behind lines with their function's name.</summary>
internal static class RecipientGrammar
{
    public static GrammarPart Of(CallGrammar? calls, AnswerRules rules, GrammarPart? json)
    {
        var call = calls is null ? null : calls.Several(calls.EachTool((name, schema) => CallGrammar.Join(CallGrammar.Text(name + "\n"), CallGrammar.Arguments(schema))), RecipientAnswerReader.Mark);
        if (call is not null && rules.IsRequired)
        {
            return call;
        }

        var header = CallGrammar.Text(RecipientAnswerReader.All + "\n");
        var text = json is not null ? CallGrammar.Join(header, json) : CallGrammar.Join(header, GrammarPart.FreeUntil([RecipientAnswerReader.Mark], [], call!));
        return call is null ? text : CallGrammar.Choose([call, text]);
    }
}
