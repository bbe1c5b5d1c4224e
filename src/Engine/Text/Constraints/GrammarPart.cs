using System.Text;
using System.Text.Json;
using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>A piece of a grammar: literal text, a token by number, a regular expression, a JSON value, or pieces put together. Immutable; it is compiled with <see cref="Grammar.FromPart"/>.</summary>
internal abstract record GrammarPart
{
    /// <summary>Exactly this text.</summary>
    public static GrammarPart Text(string text) => new LiteralPart(text);

    /// <summary>One token by its id: for control tokens, which no text can spell.</summary>
    public static GrammarPart Token(int id) => new TokenPart(id);

    /// <summary>A text that matches a regular expression as a whole.</summary>
    public static GrammarPart Regex(string pattern) => new RegexPart(pattern);

    /// <summary>A JSON value that is valid under a schema.</summary>
    public static GrammarPart Json(JsonElement schema, JsonSchemaOptions? options = null) => new JsonPart(schema.Clone(), options ?? new JsonSchemaOptions());

    /// <summary>One after the other.</summary>
    public static GrammarPart Sequence(params IReadOnlyList<GrammarPart> parts) => new SequencePart(parts);

    /// <summary>One of them.</summary>
    public static GrammarPart Choice(params IReadOnlyList<GrammarPart> parts) => new ChoicePart(parts);

    /// <summary>So many in a row; null for no limit.</summary>
    public static GrammarPart Repeat(GrammarPart part, int min, int? max = null) => new RepeatPart(part, min, max);

    /// <summary>Any text up to the first of the triggers: from there on <paramref name="then"/> must follow.</summary>
    /// <param name="triggers">Texts that trigger; they are part of the text.</param>
    /// <param name="tokens">Ids of tokens that trigger.</param>
    /// <param name="then">What follows a trigger.</param>
    /// <param name="isRequired">A trigger must come; false lets the text end before, anywhere.</param>
    public static GrammarPart FreeUntil(IReadOnlyList<string> triggers, IReadOnlyList<int> tokens, GrammarPart then, bool isRequired = false) => new TriggerPart(triggers, tokens, then) { IsRequired = isRequired };
}

internal sealed record LiteralPart(string Value) : GrammarPart;

internal sealed record TokenPart(int Id) : GrammarPart;

internal sealed record RegexPart(string Pattern) : GrammarPart;

/// <summary>A regular expression that is compiled already.</summary>
internal sealed record ExpressionPart(RegexNode Node) : GrammarPart;

internal sealed record JsonPart(JsonElement Schema, JsonSchemaOptions Options) : GrammarPart;

internal sealed record SequencePart(IReadOnlyList<GrammarPart> Parts) : GrammarPart;

internal sealed record ChoicePart(IReadOnlyList<GrammarPart> Parts) : GrammarPart;

internal sealed record RepeatPart(GrammarPart Part, int Min, int? Max) : GrammarPart;

internal sealed record TriggerPart(IReadOnlyList<string> Triggers, IReadOnlyList<int> Tokens, GrammarPart Then) : GrammarPart
{
    public bool IsRequired { get; init; }
}

/// <summary>A rule of a grammar that may refer to itself; its body is set once.</summary>
internal sealed record RulePart(string Name) : GrammarPart
{
    public GrammarPart? Body { get; set; }

    public bool Equals(RulePart? other) => ReferenceEquals(this, other);

    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
}

/// <summary>How JSON is written and read under a schema.</summary>
public sealed record JsonSchemaOptions
{
    /// <summary>White space wherever JSON allows it, and every way of escaping; false for none and the shortest escapes, which is what generation wants.</summary>
    public bool FreeWhiteSpace { get; init; } = true;
}
