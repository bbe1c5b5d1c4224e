using System.Diagnostics;
using System.Globalization;
using System.Text;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Tests.Checkpoints;
using static KvPrefetch.Tests.Constraints.Schemas;

namespace KvPrefetch.Tests.Constraints;

/// <summary>Grammars that are malformed, hostile, too large or contradict themselves end in a typed error, at once.</summary>
public sealed class BadGrammarTests
{
    [Theory]
    [InlineData("foo**")]
    [InlineData("[")]
    [InlineData("(")]
    [InlineData(")")]
    [InlineData("^+[a-z]$")]
    [InlineData("^{2}x$")]
    [InlineData("a{3,2}")]
    [InlineData("[z-a]")]
    [InlineData("\\")]
    public void GS01_Malformed_regular_expressions_are_invalid_with_their_position(string pattern)
    {
        var error = Refused(() => Grammar.FromRegex(pattern));
        Assert.Equal(GrammarError.Invalid, error.Reason);
        Assert.Contains("at character", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GS02_Patterns_that_blow_up_elsewhere_are_linear_here()
    {
        var text = new string('a', 50_000);
        foreach (var pattern in (string[])["(a+)+b", "(a|a)*", "(.*)*", "(a*)*b?"])
        {
            var clock = Stopwatch.StartNew();
            _ = Accepts(Grammar.FromRegex(pattern), text);
            Assert.True(clock.Elapsed.TotalSeconds < 5, pattern);
        }

        Assert.Equal(GrammarError.Limit, Refused(() => Grammar.FromRegex(new string('(', 60_000))).Reason);
        Assert.Equal(GrammarError.Limit, Refused(() => Grammar.FromRegex(new string('(', 500) + new string(')', 500))).Reason);
    }

    [Theory]
    [InlineData("a{0,2147483647}")]
    [InlineData("(a{1000}){1000}")]
    [InlineData("(.{1,5000}){1,5000}")]
    public void GS03_Repetitions_beyond_the_limit_are_refused(string pattern) => Assert.Equal(GrammarError.Limit, Refused(() => Grammar.FromRegex(pattern)).Reason);

    [Theory]
    [InlineData("(a)\\1", "back reference")]
    [InlineData("(?<=x)a", "looks behind")]
    [InlineData("(?<!x)a", "looks behind")]
    [InlineData("(?i)a", "of a kind")]
    [InlineData("\\bword\\b", "word boundary")]
    [InlineData("\\p{NoSuchClass}", "NoSuchClass")]
    public void GS04_What_is_not_supported_is_named(string pattern, string name)
    {
        var error = Refused(() => Grammar.FromRegex(pattern));
        Assert.Equal(GrammarError.Unsupported, error.Reason);
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GS04_Unicode_classes_and_look_aheads_are_supported()
    {
        Assert.True(Accepts(Grammar.FromRegex("\\p{L}+"), "Grüße中"));
        Assert.False(Accepts(Grammar.FromRegex("\\p{L}+"), "a1"));
        Assert.True(Accepts(Grammar.FromRegex("(?=.*[0-9])(?!.*x)[a-z0-9]{4}"), "ab1c"));
        Assert.False(Accepts(Grammar.FromRegex("(?=.*[0-9])(?!.*x)[a-z0-9]{4}"), "abcd"));
        Assert.False(Accepts(Grammar.FromRegex("(?=.*[0-9])(?!.*x)[a-z0-9]{4}"), "ab1x"));
    }

    [Fact]
    public void GS05_Depth_and_circles()
    {
        var deep = string.Concat(Enumerable.Repeat("{\"items\":", 10_000)) + "true" + new string('}', 10_000);
        Assert.Equal(GrammarError.Limit, Refused(() => Compile(deep)).Reason);
        Assert.Equal(GrammarError.Unsatisfiable, Refused(() => Compile("""{"$ref":"#"}""")).Reason);
        Assert.Equal(GrammarError.Unsatisfiable, Refused(() => Compile("""{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}""")).Reason);
        var chain = "{\"$ref\":\"#/$defs/s0\",\"$defs\":{" + string.Join(',', Enumerable.Range(0, 10_000).Select(i => $"\"s{i}\":{{\"$ref\":\"#/$defs/s{i + 1}\"}}")) + ",\"s10000\":true}}";
        Assert.Equal(GrammarError.Limit, Refused(() => Compile(chain)).Reason);
    }

    [Theory]
    [InlineData("http://169.254.169.254/latest")]
    [InlineData("file:///etc/passwd")]
    [InlineData("other.json#/definitions/a")]
    [InlineData("#/nowhere")]
    public void GS06_References_to_elsewhere_are_never_fetched(string reference)
    {
        var error = Refused(() => Compile("{\"properties\":{\"a\":{\"$ref\":\"" + reference + "\"}}}"));
        Assert.Equal(GrammarError.Unsupported, error.Reason);
        Assert.Equal("/properties/a/$ref", error.Pointer);
    }

    [Fact]
    public void GS07_Alternatives_that_multiply_meet_a_limit_or_work()
    {
        // Each level has the level below twice.
        var definitions = string.Join(',', Enumerable.Range(0, 40).Select(i => $"\"d{i}\":{{\"anyOf\":[{{\"$ref\":\"#/$defs/d{i + 1}\"}},{{\"allOf\":[{{\"$ref\":\"#/$defs/d{i + 1}\"}},{{\"minimum\":{i}}}]}}]}}"));
        var clock = Stopwatch.StartNew();
        Assert.Equal(GrammarError.Limit, Refused(() => Compile($"{{\"$ref\":\"#/$defs/d0\",\"$defs\":{{{definitions},\"d40\":{{\"type\":\"integer\"}}}}}}")).Reason);
        var many = "{\"oneOf\":[" + string.Join(',', Enumerable.Range(0, 10_000).Select(i => $"{{\"const\":\"v{i}\"}}")) + "]}";
        _ = Fuzz.ErrorOf(() => Accepts(many, "\"v77\""));
        Assert.True(clock.Elapsed.TotalSeconds < 60, $"{clock.Elapsed}");
    }

    [Fact]
    public void GS08_Enumerations_beyond_the_limit_are_refused()
    {
        var many = "{\"enum\":[" + string.Join(',', Enumerable.Range(0, 100_000)) + "]}";
        Assert.Equal(GrammarError.Limit, Refused(() => Compile(many)).Reason);
        Assert.Equal(GrammarError.Limit, Refused(() => Compile("{\"const\":\"" + new string('x', 5_000_000) + "\"}")).Reason);
    }

    [Theory]
    [InlineData("""{"type":"string","minLength":1000000000}""", GrammarError.Limit)]
    [InlineData("""{"type":"array","minItems":1000000000}""", GrammarError.Limit)]
    [InlineData("""{"multipleOf":1e-300}""", GrammarError.Limit)]
    [InlineData("""{"type":"number","minimum":5,"maximum":4}""", GrammarError.Unsatisfiable)]
    [InlineData("""{"type":"string","minLength":5,"maxLength":4}""", GrammarError.Unsatisfiable)]
    [InlineData("""{"type":"integer","exclusiveMinimum":1,"exclusiveMaximum":2}""", GrammarError.Unsatisfiable)]
    public void GS09_Bounds_that_cannot_be_met_are_refused_before_anything_runs(string schema, GrammarError reason) => Assert.Equal(reason, Refused(() => Compile(schema)).Reason);

    [Theory]
    [InlineData("false")]
    [InlineData("""{"not":{}}""")]
    [InlineData("""{"enum":[]}""")]
    [InlineData("""{"type":"object","required":["a"],"properties":{"a":false}}""")]
    [InlineData("""{"type":"object","required":["a"],"additionalProperties":false}""")]
    [InlineData("""{"type":"string","allOf":[{"pattern":"^a"},{"pattern":"^b"}]}""")]
    public void GS10_What_nothing_satisfies_is_refused(string schema) => Assert.Equal(GrammarError.Unsatisfiable, Refused(() => Compile(schema)).Reason);

    [Fact]
    public void GS11_Many_properties_compile()
    {
        var schema = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{" + string.Join(',', Enumerable.Range(0, 20_000).Select(i => $"\"property{i}\":{{\"type\":\"integer\"}}")) + "}}";
        var clock = Stopwatch.StartNew();
        var grammar = Compile(schema);
        Assert.True(Accepts(grammar, """{"property7":1,"property19999":2}"""));
        Assert.False(Accepts(grammar, """{"property20000":1}"""));
        Assert.True(clock.Elapsed.TotalSeconds < 30, $"{clock.Elapsed}");
    }

    [Theory]
    [InlineData("""{"properties":{"a":{"type":"text"}}}""", "/properties/a/type")]
    [InlineData("""{"properties":{"a":{"type":3}}}""", "/properties/a/type")]
    [InlineData("""{"pattern":5}""", "/pattern")]
    [InlineData("""{"pattern":"["}""", "/pattern")]
    [InlineData("""{"required":"a"}""", "/required")]
    [InlineData("""{"required":[1]}""", "/required/0")]
    [InlineData("""{"properties":[]}""", "/properties")]
    [InlineData("""{"items":5}""", "/items")]
    [InlineData("""{"anyOf":{}}""", "/anyOf")]
    [InlineData("""{"anyOf":[]}""", "/anyOf")]
    [InlineData("""{"minLength":-1}""", "/minLength")]
    [InlineData("""{"maxItems":"2"}""", "/maxItems")]
    [InlineData("""{"multipleOf":0}""", "/multipleOf")]
    [InlineData("""{"uniqueItems":"yes"}""", "/uniqueItems")]
    [InlineData("""[]""", "")]
    public void GS12_Malformed_schemas_are_invalid_with_their_pointer(string schema, string pointer)
    {
        var error = Refused(() => Compile(schema));
        Assert.Equal(GrammarError.Invalid, error.Reason);
        Assert.Equal(pointer, error.Pointer);
    }

    [Fact]
    public void GS17_Characters_are_bytes_wherever_they_are_cut()
    {
        var grammar = Compile("""{"type":"string","pattern":"^[é中👍]{2,3}$"}""");
        Assert.True(Accepts(grammar, "\"é中👍\""));
        Assert.True(Accepts(grammar, "\"\\u00e9\\ud83d\\udc4d\""));
        Assert.False(Accepts(grammar, "\"\\u00e8\\ud83d\\udc4d\""));
        Assert.False(Accepts(grammar, "\"é\""));
        Assert.False(grammar.Accepts([(byte)'"', 0xC3, (byte)'"']));
    }

    [Fact]
    public void Random_schemas_and_patterns_give_a_grammar_or_a_typed_error()
    {
        string[] seeds =
        [
            """{"type":"object","properties":{"a":{"type":"integer","minimum":1,"maximum":9},"b":{"type":"array","items":{"$ref":"#/$defs/c"},"uniqueItems":true,"minItems":1}},"required":["a"],"additionalProperties":false,"$defs":{"c":{"type":"string","pattern":"^a+$"}}}""",
            """{"oneOf":[{"type":"number","multipleOf":0.5},{"not":{"type":["string","null"]}},{"enum":[1,"x",null,{"a":[1]}]}],"if":{"minimum":3},"then":{"maximum":5},"else":{"const":1}}""",
            """{"$schema":"http://json-schema.org/draft-04/schema#","patternProperties":{"^x-[a-z]{1,3}$":{"format":"date"}},"minProperties":1,"dependencies":{"a":["b"],"c":{"required":["d"]}},"propertyNames":{"maxLength":5}}""",
        ];
        Fuzz.Run("schemas", random =>
        {
            var text = Encoding.UTF8.GetString(Fuzz.Damage(random, Fuzz.Utf8(Fuzz.Pick<string>(random, seeds))));
            System.Text.Json.JsonDocument document;
            try
            {
                document = System.Text.Json.JsonDocument.Parse(text);
            }
            catch (System.Text.Json.JsonException)
            {
                return;
            }

            using (document)
            {
                Fuzz.ErrorOf(() =>
                {
                    var grammar = Grammar.FromJsonSchema(document.RootElement);
                    foreach (var value in (string[])["{\"a\":1,\"b\":[\"a\",\"aa\"]}", "1.5", "[1,{\"x\":null}]", "{\"x-ab\":\"2024-02-29\"}"])
                    {
                        Accepts(grammar, value);
                    }
                });
            }
        });
        Fuzz.Run("patterns", random =>
        {
            const string alphabet = "ab0.[]()|*+?{}^$\\-,1:=!dwspLu";
            var pattern = string.Concat(Enumerable.Range(0, random.Next(1, 24)).Select(_ => alphabet[random.Next(alphabet.Length)]));
            Fuzz.ErrorOf(() => Accepts(Grammar.FromRegex(pattern), string.Create(CultureInfo.InvariantCulture, $"ab{random.Next(100)}")));
        });
    }
}
