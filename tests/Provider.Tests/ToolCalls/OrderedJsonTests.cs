using System.Text;
using System.Text.Json;
using KvPrefetch.AI.ToolCalls;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.Tests.Provider.ToolCalls;

/// <summary>Members come in the order of their definition; nothing that the schema forbids comes, and where it says more than we order, it decides alone.</summary>
public sealed class OrderedJsonTests
{
    private const string Person = """
        {"type":"object","title":"Person","properties":{"first":{"type":"string"},"age":{"type":"integer"},"né":{"type":"boolean"},"home":{"type":"object","properties":{"zip":{"type":"string"},"city":{"$ref":"#/$defs/city"}},"required":["zip","city"],"additionalProperties":false},
         "likes":{"type":"array","items":{"type":"object","properties":{"a":{"enum":[1,2]},"b":true},"required":["a"],"additionalProperties":false},"minItems":1,"maxItems":2}},
         "required":["age","home"],"additionalProperties":false,"$defs":{"city":{"enum":["Oslo","Bergen"]}}}
        """;

    private static Grammar Compile(string schema) => Grammar.FromPart(OrderedJson.Of(JsonDocument.Parse(schema).RootElement));

    private static bool Accepts(Grammar grammar, string text) => grammar.Accepts(Encoding.UTF8.GetBytes(text));

    [Theory]
    [InlineData("""{"first":"x","age":1,"né":true,"home":{"zip":"1","city":"Oslo"},"likes":[{"a":1,"b":[{}]},{"a":2}]}""", true)]
    [InlineData("""{"age":1,"home":{"zip":"1","city":"Oslo"}}""", true)]
    [InlineData("""{"age":1,"né":false,"home":{"zip":"1","city":"Bergen"}}""", true)]
    [InlineData("""{"age":1,"first":"x","home":{"zip":"1","city":"Oslo"}}""", false)]
    [InlineData("""{"age":1,"home":{"city":"Oslo","zip":"1"}}""", false)]
    [InlineData("""{"age":1}""", false)]
    [InlineData("""{}""", false)]
    [InlineData("""{"age":1,"home":{"zip":"1","city":"Rome"}}""", false)]
    [InlineData("""{"age":1,"home":{"zip":"1","city":"Oslo"},"likes":[]}""", false)]
    [InlineData("""{"age":1,"home":{"zip":"1","city":"Oslo"},"likes":[{"a":1},{"a":1},{"a":1}]}""", false)]
    [InlineData("""{"age":1,"home":{"zip":"1","city":"Oslo"},"more":1}""", false)]
    [InlineData("""{"age":1,"home":{"zip":"1","city":"Oslo"},}""", false)]
    public void Members_stand_in_the_order_of_their_definition_and_may_be_left_out_where_the_schema_says_so(string text, bool isAccepted) => Assert.Equal(isAccepted, Accepts(Compile(Person), text));

    [Theory]
    [InlineData("""{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"additionalProperties":false,"minProperties":1}""")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}}}""")]
    [InlineData("""{"type":"object","properties":{"a":{"$ref":"#/properties/b"},"b":{"type":"integer"}},"additionalProperties":false}""")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"required":["a"],"anyOf":[{"required":["b"]}],"additionalProperties":false}""")]
    public void Where_the_schema_says_more_it_decides_alone(string schema) => Assert.True(Accepts(Compile(schema), """{"b":1,"a":2}"""));

    [Fact]
    public void A_hundred_members_that_may_be_left_out_are_no_trouble()
    {
        var schema = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{" + string.Join(',', Enumerable.Range(0, 100).Select(i => $"\"p{i}\":{{\"type\":\"integer\"}}")) + "}}";
        var grammar = Compile(schema);
        Assert.True(Accepts(grammar, """{"p3":1,"p99":2}"""));
        Assert.True(Accepts(grammar, "{}"));
        Assert.False(Accepts(grammar, """{"p99":1,"p3":2}"""));
        var state = grammar.Start(Templates.Tokenizer);
        var mask = new uint[state.MaskWords];
        foreach (var id in Templates.Tokenizer.Encode("""{"p3":1,"p"""))
        {
            state.ComputeMask(mask);
            Assert.True(state.Advance(id));
        }
    }

    [Fact]
    public void Where_one_member_only_can_come_its_text_is_forced()
    {
        var state = Compile("""{"type":"object","properties":{"a_long_name":{"type":"boolean"},"another":{"type":"null"}},"required":["a_long_name","another"],"additionalProperties":false}""").Start(Templates.Tokenizer);
        Assert.Equal("""{"a_long_name":""", Encoding.UTF8.GetString(state.ForcedBytes()));
        foreach (var id in Templates.Tokenizer.Encode("""{"a_long_name":true"""))
        {
            Assert.True(state.Advance(id));
        }

        Assert.StartsWith(""","another":""", Encoding.UTF8.GetString(state.ForcedBytes()), StringComparison.Ordinal);
    }
}
