using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>gpt-oss: a row of messages, of which the last is the answer or a call.</summary>
internal static class HarmonyGrammar
{
    public static GrammarPart Of(Tokenizer tokenizer, AnswerRules rules)
    {
        var tags = new CallGrammar(tokenizer, rules.Tools, isMultiple: false);
        var messages = new RulePart("messages");
        var next = CallGrammar.Join(tags.Tag("<|start|>"), CallGrammar.Text("assistant"), messages);

        GrammarPart Channel(string name) => CallGrammar.Join(tags.Tag("<|channel|>"), CallGrammar.Text(name), tags.Tag("<|message|>"));

        List<GrammarPart> kinds = !rules.MayReason ? [] : [CallGrammar.Join(Channel("analysis"), AnswerGrammar.Until(tokenizer, "<|end|>", next, isRequired: rules.IsRequired || rules.Schema is not null))];
        if (rules.Tools.Count > 0)
        {
            kinds.Add(CallGrammar.Join(
                tags.Tag("<|channel|>"), CallGrammar.Text("commentary to=functions."),
                tags.EachTool((name, schema) => CallGrammar.Join(
                    CallGrammar.Text(name + " "), tags.Tag("<|constrain|>"), CallGrammar.Text("json"), tags.Tag("<|message|>"), CallGrammar.Arguments(schema)))));
        }

        if (!rules.IsRequired)
        {
            kinds.Add(rules.Schema is { } schema
                ? CallGrammar.Join(Channel("final"), CallGrammar.Value(schema))
                : CallGrammar.Join(Channel("final"), GrammarPart.FreeUntil([], [], CallGrammar.Text(""))));
        }

        messages.Body = CallGrammar.Choose(kinds);
        return messages;
    }
}
