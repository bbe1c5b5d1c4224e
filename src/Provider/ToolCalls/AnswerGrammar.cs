using System.Text.Json;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>What an answer must look like.</summary>
/// <param name="Tools">Functions that may be called; empty for none.</param>
/// <param name="IsRequired">A call must come.</param>
/// <param name="IsMultiple">Several may.</param>
/// <param name="InSection">Calls are written as our own section says.</param>
/// <param name="Schema">Text must be JSON under this schema; null leaves it free.</param>
/// <param name="OpensReasoning">The prompt ends within reasoning.</param>
/// <param name="MayReason">Reasoning may come; false where it is over, or was switched off.</param>
internal sealed record AnswerRules(
    IReadOnlyDictionary<string, JsonElement> Tools, bool IsRequired, bool IsMultiple, bool InSection, JsonElement? Schema, bool OpensReasoning, bool MayReason = true);

/// <summary>The grammar of a whole answer: reasoning, then text or calls. What is free stays free, except that a call, once it is opened, is one of a function that is there.</summary>
internal static class AnswerGrammar
{
    /// <summary>Null where nothing is to be enforced.</summary>
    /// <param name="format">How the model writes.</param>
    /// <param name="tokenizer">Its vocabulary.</param>
    /// <param name="rules">What is asked for.</param>
    public static GrammarPart? Of(AnswerFormat format, Tokenizer tokenizer, AnswerRules rules)
    {
        if (rules.Tools.Count == 0 && rules.Schema is null)
        {
            return null;
        }

        if (format.IsHarmony)
        {
            return HarmonyGrammar.Of(tokenizer, rules);
        }

        var syntax = rules.InSection ? AnswerFormat.Section : format.Calls;
        var grammar = rules.Tools.Count > 0 ? new CallGrammar(tokenizer, rules.Tools, rules.IsMultiple, rules.InSection) : null;
        var json = rules.Schema is { } schema ? CallGrammar.Value(schema) : null;
        if (format.HasRecipients)
        {
            return RecipientGrammar.Of(grammar, rules, json);
        }

        var answer = new RulePart("answer");

        // Spaces and line breaks that models put in front.
        var start = GrammarPart.Regex("[ \n]{0,2}");
        GrammarPart body;
        if (grammar is null)
        {
            body = json!;
        }
        else if (rules.IsRequired || json is not null)
        {
            var calls = CallGrammar.Join(start, syntax.Grammar(grammar, isOpened: false));
            body = rules.IsRequired ? calls : CallGrammar.Choose([calls, json!]);
        }
        else if (syntax.BareText is { } text)
        {
            body = CallGrammar.Choose([syntax.Grammar(grammar, isOpened: false), text]);
        }
        else
        {
            var tags = syntax.Triggers;
            body = GrammarPart.FreeUntil(
                [.. tags.Where(tag => grammar.Token(tag) is null)],
                [.. tags.Select(grammar.Token).OfType<int>()],
                syntax.Grammar(grammar, isOpened: true));
        }

        if (format.Reasoning is not { } reasoning || !rules.MayReason)
        {
            return body;
        }

        var mustFollow = rules.IsRequired || json is not null;
        var thinking = Until(tokenizer, reasoning.End, mustFollow ? CallGrammar.Join(start, body) : answer, mustFollow);
        if (Added(tokenizer, reasoning.Start) is { } begin)
        {
            // It may begin at once, or, where text is free, behind some.
            answer.Body = mustFollow
                ? CallGrammar.Choose([body, CallGrammar.Join(GrammarPart.Token(begin), thinking)])
                : CallGrammar.Choose([body, GrammarPart.FreeUntil([], [begin], thinking)]);
        }
        else
        {
            answer.Body = mustFollow ? CallGrammar.Choose([body, CallGrammar.Join(CallGrammar.Text(reasoning.Start), thinking)]) : body;
        }

        return rules.OpensReasoning ? thinking : answer;
    }

    public static GrammarPart Until(Tokenizer tokenizer, string tag, GrammarPart then, bool isRequired) => Added(tokenizer, tag) is { } id
        ? GrammarPart.FreeUntil([], [id], then, isRequired)
        : GrammarPart.FreeUntil([tag], [], then, isRequired);

    private static int? Added(Tokenizer tokenizer, string tag) => tokenizer.TryGetId(tag, out var id) && tokenizer.IsAdded(id) ? id : null;
}
