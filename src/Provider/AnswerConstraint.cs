using System.Text;
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
    /// <param name="cache">Grammars of this model.</param>
    /// <param name="tokenizer">Its vocabulary.</param>
    /// <param name="format">How it writes.</param>
    /// <param name="prompt">What it answers.</param>
    /// <param name="tools">The functions.</param>
    /// <param name="form">The form of the text.</param>
    /// <param name="mayReason">Reasoning may come before; false once it is over.</param>
    /// <exception cref="GrammarException">A schema of the response, or that of a strict function, cannot be enforced.</exception>
    public static Grammar? Of(GrammarCache cache, Tokenizer tokenizer, AnswerFormat format, Prompt prompt, ToolRequest tools, FormatRequest form, bool mayReason)
    {
        var functions = tools.Use == ToolUse.None ? [] : tools.Tools.Schemas
            .Where(tool => tools.Required is null || string.Equals(tool.Key, tools.Required, StringComparison.Ordinal))
            .ToDictionary(tool => tool.Key, tool => tool.Value, StringComparer.Ordinal);
        if (functions.Count == 0 && form.Schema is null)
        {
            return null;
        }

        var rules = new AnswerRules(functions, tools.Use == ToolUse.Required, tools.Multiple, prompt.InSection, form.Schema, mayReason && format.OpensReasoning(prompt.Tail), mayReason);
        try
        {
            return cache.Get(Key(rules, tools.Strict), () =>
            {
                var enforced = functions.ToDictionary(tool => tool.Key, tool => Enforceable(tool.Value, tools.Strict.Contains(tool.Key)), StringComparer.Ordinal);
                return Grammar.FromPart(AnswerGrammar.Of(format, tokenizer, rules with { Tools = enforced })!);
            });
        }
        catch (GrammarException) when (tools.Use == ToolUse.Auto && form.Schema is null && !functions.Keys.Any(tools.Strict.Contains))
        {
            return null; // calls that are merely allowed are then what the model makes of them
        }
    }

    /// <summary>All that the grammar depends on, for one model.</summary>
    private static string Key(AnswerRules rules, IReadOnlySet<string> strict)
    {
        var key = new StringBuilder();
        key.Append(rules.IsRequired ? 'r' : '-').Append(rules.IsMultiple ? 'm' : '-').Append(rules.InSection ? 's' : '-').Append(rules.OpensReasoning ? 't' : '-').Append(rules.MayReason ? 'r' : '-').Append('\n');
        key.Append(rules.Schema?.GetRawText()).Append('\n');
        foreach (var (name, schema) in rules.Tools)
        {
            // No name holds a space, and no JSON begins with a sign.
            key.Append(name).Append(strict.Contains(name) ? " ! " : " ").Append(schema.ValueKind == JsonValueKind.Undefined ? "" : schema.GetRawText()).Append('\n');
        }

        return key.ToString();
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
