using System.Text;
using System.Text.Json;
using KvPrefetch.AI.ToolCalls;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.AI;

/// <summary>The grammars that requests' options ask for. Each is compiled once, whole; schema by schema only where that fails, to find the one that is to blame.</summary>
/// <param name="tokenizer">Vocabulary of the model.</param>
/// <param name="format">How it writes.</param>
/// <param name="log">Told by name what is not enforced, once for each set of functions.</param>
internal sealed class AnswerConstraint(Tokenizer tokenizer, AnswerFormat format, Action<string> log)
{
    private const long MaxBytes = 64 << 20;
    private static readonly JsonElement AnyObject = JsonDocument.Parse("""{"type":"object"}""").RootElement.Clone();

    private readonly GrammarCache _cache = new(MaxBytes);

    /// <summary>Null where anything may be answered.</summary>
    /// <param name="prompt">What is answered.</param>
    /// <param name="tools">The functions.</param>
    /// <param name="form">The form of the text.</param>
    /// <param name="mayReason">Reasoning may come before; false once it is over.</param>
    /// <exception cref="GrammarException">A schema of the response, or that of a strict function, cannot be enforced.</exception>
    public Grammar? Of(Prompt prompt, ToolRequest tools, FormatRequest form, bool mayReason)
    {
        var functions = tools.Use == ToolUse.None ? [] : tools.Tools.Schemas
            .Where(tool => tools.Required is null || string.Equals(tool.Key, tools.Required, StringComparison.Ordinal))
            .ToDictionary(tool => tool.Key, tool => tool.Value, StringComparer.Ordinal);
        if (functions.Count == 0 && form.Schema is null)
        {
            return null;
        }

        var rules = new AnswerRules(functions, tools.Use == ToolUse.Required, tools.Multiple, prompt.InSection, form.Schema, mayReason && format.OpensReasoning(prompt.Tail), mayReason);
        return _cache.Get(Key(rules, tools.Strict), () => Compile(rules, tools.Strict));
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

    private Grammar? Compile(AnswerRules rules, IReadOnlySet<string> strict)
    {
        if (TryAll(rules with { Schema = rules.Schema is { } schema ? ClosedSchema.Of(schema) : null, Tools = rules.Tools.ToDictionary(tool => tool.Key, tool => ClosedSchema.Of(tool.Value), StringComparer.Ordinal) }, out _) is { } whole)
        {
            return whole;
        }

        // Which of them it was is found out one by one; whatever is wrong with a schema is said of it as it was given.
        var none = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        var text = rules.Schema is { } given ? Enforceable(given, candidate => rules with { Schema = candidate, Tools = none, IsRequired = false }, out var refusal) ?? throw refusal! : default(JsonElement?);
        var tools = rules.Tools.ToDictionary(tool => tool.Key, tool => Arguments(tool.Key, tool.Value, strict.Contains(tool.Key), rules), StringComparer.Ordinal);
        if (TryAll(rules with { Schema = text, Tools = tools }, out var error) is { } loosened)
        {
            return loosened;
        }

        // Calls that are merely allowed are then what the model makes of them.
        if (rules.IsRequired || rules.Schema is not null || rules.Tools.Keys.Any(strict.Contains))
        {
            throw error!;
        }

        log($"Calls of {string.Join(", ", rules.Tools.Keys.Take(5).Select(Quoted.Text))}{(rules.Tools.Count > 5 ? " and others" : "")} are not enforced: {error!.Message}");
        return null;
    }

    /// <summary>The function's schema, narrowed where that can be enforced. One that cannot be is loosened to any object, unless its function is strict.</summary>
    private JsonElement Arguments(string name, JsonElement schema, bool isStrict, AnswerRules rules)
    {
        if (Enforceable(schema, candidate => rules with { Schema = null, Tools = new Dictionary<string, JsonElement>(StringComparer.Ordinal) { [name] = candidate } }, out var error) is { } enforced)
        {
            return enforced;
        }

        if (isStrict)
        {
            throw error!;
        }

        log($"The schema of function {Quoted.Text(name)} cannot be enforced, and its arguments may be any JSON object: {error!.Message}");
        return AnyObject;
    }

    private JsonElement? Enforceable(JsonElement schema, Func<JsonElement, AnswerRules> alone, out GrammarException? error)
    {
        error = null;
        foreach (var candidate in new[] { ClosedSchema.Of(schema), schema })
        {
            if (TryAll(alone(candidate), out error) is not null)
            {
                return candidate;
            }
        }

        return null;
    }

    private Grammar? TryAll(AnswerRules rules, out GrammarException? error)
    {
        try
        {
            error = null;
            return Grammar.FromPart(AnswerGrammar.Of(format, tokenizer, rules)!);
        }
        catch (GrammarException e)
        {
            error = e;
            return null;
        }
    }
}
