using System.Text.Json;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>What a generated text must look like: JSON, JSON under a schema, a regular expression, or pieces of these put together. Compiled once, used by any number of texts at the same time.
/// <para>How it works. The alphabet is bytes. Regular languages (<see cref="Regular.ExprPool"/>) are interned expressions with intersection, complement and counted repetition, and become automata by derivatives, a state at a time.
/// JSON is read by a pushdown automaton whose states are values shared between texts (<see cref="Cursor"/>). At each value, all the schemas that apply are followed in parallel: a scalar's are one regular language each, so that what
/// they demand together is decided exactly, byte by byte; an object's or array's are formulas over what was seen of it (<see cref="Json.Formula"/>), evaluated with three values (true, false, open) after each member. A byte after
/// which the root would be false is not allowed; the byte that closes a value is allowed only where the root can still become true. So no text that ends is invalid.</para>
/// <para>A mask is the set of tokens after which the text can still be completed. It is a walk through a trie of the vocabulary, in which most tokens never come up: inside a string, and where white space is free, sets
/// made once a vocabulary (<see cref="StringTokens"/>, <see cref="SpaceTokens"/>) stand for them. What was walked is kept with the state and found again by whoever comes to it.</para>
/// <para>What cannot be decided is refused when the schema is compiled, by its JSON pointer. Repetitions, states, alternatives and depth are limited; a grammar that exceeds a limit is refused or ends its own request.</para></summary>
public sealed class Grammar
{
    private readonly Machine _machine;
    private readonly Continuation _root;

    private Grammar(GrammarPart part)
    {
        _machine = new Machine();
        _machine.Prepare(part, []);
        _root = _machine.Push(part, null);
        Origin = _machine.Start(_root);
        if (Origin.IsDead)
        {
            throw GrammarErrors.Unsatisfiable("Nothing matches the grammar.");
        }
    }

    internal Machine Machine => _machine;

    internal Cursor Origin { get; }

    /// <summary>True where text that can only go on in one way is to be cut into tokens as the model would cut it: masks then allow the first of these tokens alone.</summary>
    internal bool ForcesTokens { get; init; }

    /// <summary>Bytes held by the grammar and what was computed with it, about.</summary>
    public long Bytes
    {
        get
        {
            lock (_machine.Gate)
            {
                return _machine.Bytes;
            }
        }
    }

    /// <summary>Texts that match a regular expression as a whole.</summary>
    /// <exception cref="GrammarException">The expression is malformed, not supported or too large.</exception>
    public static Grammar FromRegex(string pattern) => new(GrammarPart.Regex(pattern)) { ForcesTokens = true };

    /// <summary>JSON texts that are valid under a schema: draft 2020-12, or an older one that its <c>$schema</c> names.</summary>
    /// <exception cref="GrammarException">The schema is malformed, cannot be decided exactly, is too large, or nothing is valid under it; the pointer says where.</exception>
    public static Grammar FromJsonSchema(JsonElement schema, JsonSchemaOptions? options = null) => new(GrammarPart.Json(schema, options));

    /// <summary>Any JSON value.</summary>
    public static Grammar AnyJson(JsonSchemaOptions? options = null) => FromJsonSchema(Parse("true"), options);

    /// <summary>Any JSON object.</summary>
    public static Grammar AnyJsonObject(JsonSchemaOptions? options = null) => FromJsonSchema(Parse("{\"type\":\"object\"}"), options);

    /// <summary>Texts of a small grammar: rules <c>name ::= "literal" | /regex/ other? (a | b)*</c>, of which <c>root</c> is the whole.</summary>
    /// <exception cref="GrammarException">The grammar is malformed, too large, or calls itself without reading anything.</exception>
    public static Grammar FromEbnf(string text) => new(EbnfSyntax.Parse(text));

    /// <summary>Pieces put together.</summary>
    /// <exception cref="GrammarException">A piece is malformed, not supported or too large.</exception>
    internal static Grammar FromPart(GrammarPart part) => new(part);

    /// <summary>A text that begins now, of tokens of this tokenizer.</summary>
    public ConstraintState Start(Tokenizer tokenizer) => new(this, TokenTrie.Of(tokenizer));

    /// <summary>Whether a whole text, in UTF-8, is one of the grammar's. Parts that are tokens by number match no text.</summary>
    internal bool Accepts(ReadOnlySpan<byte> text)
    {
        lock (_machine.Gate)
        {
            var cursor = Origin;
            foreach (var b in text)
            {
                cursor = cursor.Step(b);
                if (cursor.IsDead)
                {
                    return false;
                }
            }

            return cursor.CanEnd;
        }
    }

    private static JsonElement Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
