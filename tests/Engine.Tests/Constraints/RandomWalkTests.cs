using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Tests.Tokenization;

namespace KvPrefetch.Tests.Constraints;

/// <summary>Texts drawn at random under masks: what is allowed can be gone on with. benchmarks/Constraints draws them under all real schemas.</summary>
public sealed class RandomWalkTests
{
    // Each has choices of keys after which nothing can be right any more, though nothing is wrong yet.
    [Theory]
    [InlineData("""{"type":"object","properties":{"json":{"type":"integer"},"key":{"type":"integer"},"pojo":{"type":"integer"}},"additionalProperties":false,"required":["key"],"minProperties":2,"maxProperties":2}""")]
    [InlineData("""{"type":"object","patternProperties":{"^[0-9]$":{"type":"integer"}},"additionalProperties":false,"maxProperties":2,"not":{"anyOf":[{"propertyNames":{"not":{"enum":["1","3"]}}},{"propertyNames":{"not":{"enum":["2","3"]}}},{"propertyNames":{"not":{"enum":["2","4","5"]}}}]}}""")]
    [InlineData("""{"allOf":[{"not":{"propertyNames":{"not":{"pattern":"a"}}}},{"not":{"propertyNames":{"not":{"pattern":"b"}}}},{"anyOf":[{"required":["da"]},{"required":["db"]}]},{"propertyNames":{"pattern":"^..$"}},{"maxProperties":2},{"additionalProperties":{"type":"null"}}],"type":"object"}""")]
    [InlineData("""{"type":"object","properties":{"a":{"enum":["x","y"]},"b":{"type":"boolean"}},"required":["a"],"additionalProperties":false,"not":{"properties":{"b":{"const":true}}}}""")]
    [InlineData("""{"oneOf":[{"properties":{"t":{"enum":["true"]}}},{"properties":{"t":{"enum":["false"]}}}],"required":["t"],"properties":{"t":{"type":"string"}},"additionalProperties":false,"type":"object"}""")]
    [InlineData("""{"allOf":[{"enum":[{"aaaa":18}]},{"not":{"not":{"patternProperties":{"a*":{"type":"integer"},"aaa*":{"maximum":20}}}}}]}""")]
    public void No_walk_ends_where_nothing_may_follow(string schema)
    {
        var tokenizer = TokenizerAssets.Load("smollm2");
        var grammar = Schemas.Compile(schema, new JsonSchemaOptions { FreeWhiteSpace = false });
        var mask = new uint[grammar.Start(tokenizer).MaskWords];
        for (var seed = 0; seed < 40; seed++)
        {
            var random = new Random(seed);
            var state = grammar.Start(tokenizer);
            List<int> ids = [];
            for (var i = 0; i < 120 && !(state.CanEnd && random.Next(2) == 0); i++)
            {
                state.ComputeMask(mask);
                var allowed = Enumerable.Range(0, tokenizer.VocabularySize).Where(id => ((mask[id >> 5] >> id) & 1) != 0).ToArray();
                if (allowed.Length == 0)
                {
                    Assert.True(state.CanEnd, $"seed {seed}: nothing may follow '{tokenizer.Decode([.. ids])}'");
                    break;
                }

                ids.Add(allowed[random.Next(allowed.Length)]);
                Assert.True(state.Advance(ids[^1]));
            }

        }
    }
}
