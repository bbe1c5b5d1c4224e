using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Tests.Checkpoints;
using static KvPrefetch.Tests.Constraints.Schemas;

namespace KvPrefetch.Tests.Constraints;

/// <summary>Small grammars, and pieces put together.</summary>
public sealed class EbnfTests
{
    private const string Sums = """
        # sums of numbers and groups
        root ::= term (" "? ("+" | "-") " "? term)*
        term ::= /[0-9]+/ | "(" root ")"
        """;

    [Theory]
    [InlineData("1", true)]
    [InlineData("1 + (22-3)", true)]
    [InlineData("((((7))))", true)]
    [InlineData("((7)", false)]
    [InlineData("1 +", false)]
    [InlineData("", false)]
    public void Rules_may_refer_to_themselves(string text, bool expected) => Assert.Equal(expected, Accepts(Grammar.FromEbnf(Sums), text));

    [Theory]
    [InlineData("root ::= \"a", GrammarError.Invalid)]
    [InlineData("root ::= other", GrammarError.Invalid)]
    [InlineData("other ::= \"a\"", GrammarError.Invalid)]
    [InlineData("root ::= (\"a\"", GrammarError.Invalid)]
    [InlineData("root ::= \"a\" root ::= \"b\"", GrammarError.Invalid)]
    [InlineData("root ::= root \"a\" | \"b\"", GrammarError.Limit)]
    [InlineData("root ::= /[/", GrammarError.Invalid)]
    public void Malformed_grammars_are_refused(string text, GrammarError reason) => Assert.Equal(reason, Refused(() => Grammar.FromEbnf(text)).Reason);

    [Fact]
    public void Text_and_a_schema_follow_each_other()
    {
        using var schema = System.Text.Json.JsonDocument.Parse("""{"type":"object","properties":{"x":{"type":"integer"}},"required":["x"],"additionalProperties":false}""");
        var call = GrammarPart.Sequence(GrammarPart.Text("{\"name\": \"f\", \"arguments\": "), GrammarPart.Json(schema.RootElement), GrammarPart.Text("}\n</tool_call>"));
        var auto = Grammar.FromPart(GrammarPart.FreeUntil(["<tool_call>\n"], [], call));
        Assert.True(Accepts(auto, "No tool is needed, <tool_cal is nothing."));
        Assert.True(Accepts(auto, "Let me see.<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 3}}\n</tool_call>"));
        Assert.False(Accepts(auto, "Let me see.<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": \"3\"}}\n</tool_call>"));
        Assert.False(Accepts(auto, "Let me see.<tool_call>\nsomething else"));
    }

    [Fact]
    public void Random_grammars_give_a_grammar_or_a_typed_error()
        => Fuzz.Run("grammars", random => Fuzz.ErrorOf(() => Accepts(Grammar.FromEbnf(System.Text.Encoding.UTF8.GetString(Fuzz.Damage(random, Fuzz.Utf8(Sums)))), "1 + (2)")));
}
