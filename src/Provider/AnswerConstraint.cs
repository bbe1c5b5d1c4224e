using System.Text.Json;
using KvPrefetch.AI.ToolCalls;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.AI;

/// <summary>The grammar that a request's options ask for.</summary>
internal static class AnswerConstraint
{
    private static readonly JsonElement AnyObject = JsonDocument.Parse("""{"type":"object"}""").RootElement.Clone();

    /// <summary>Null where anything may be answered.</summary>
    /// <exception cref="GrammarException">A schema of the response, or that of a strict function, cannot be enforced.</exception>
    public static Grammar? Of(Tokenizer tokenizer, AnswerFormat format, Prompt prompt, ToolRequest tools, FormatRequest form)
    {
        var functions = tools.Use == ToolUse.None ? [] : tools.Tools.Schemas
            .Where(tool => tools.Required is null || string.Equals(tool.Key, tools.Required, StringComparison.Ordinal))
            .ToDictionary(tool => tool.Key, tool => Enforceable(tool.Value, tools.Strict.Contains(tool.Key)), StringComparer.Ordinal);
        var rules = new AnswerRules(functions, tools.Use == ToolUse.Required, tools.Multiple, prompt.InSection, form.Schema, format.OpensReasoning(prompt.Tail));
        return AnswerGrammar.Of(format, tokenizer, rules) is { } part ? Grammar.FromPart(part) : null;
    }

    /// <summary>A schema that cannot be enforced is loosened to any object, unless its function is strict.</summary>
    private static JsonElement Enforceable(JsonElement schema, bool isStrict)
    {
        try
        {
            _ = Grammar.FromPart(CallGrammar.Arguments(schema));
            return schema;
        }
        catch (GrammarException) when (!isStrict)
        {
            return AnyObject;
        }
    }
}
