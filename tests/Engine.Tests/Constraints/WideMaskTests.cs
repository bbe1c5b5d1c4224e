using System.Text;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Constraints;
using KvPrefetch.Engine.Text.Constraints.Regular;
using KvPrefetch.Tests.Tokenization;

namespace KvPrefetch.Tests.Constraints;

/// <summary>Masks that are not walked byte by byte: tokens over classes of bytes, lengths beside the automaton, sets of key patterns. Each must be what trying every token gives.</summary>
public sealed class WideMaskTests
{
    [Theory]
    [InlineData("""{"type":"string","pattern":"^[^.]*$"}""", "\"Name")]
    [InlineData("""{"type":"string","pattern":"^(?:\\S+\\s+){0,29}\\S+$","maxLength":300}""", "\"Ability to work")]
    [InlineData("""{"type":"string","pattern":"^(?:\\S+\\s+){0,2}\\S+$","maxLength":20}""", "\"Ability to")]
    [InlineData("""{"type":"string","pattern":"[a-f0-9]{8}-[a-f0-9]{4}","maxLength":30}""", "\"ab12")]
    [InlineData("""{"type":"string","pattern":"^.*end$","maxLength":12}""", "\"some é")]
    [InlineData("""{"type":"string","pattern":"^.+$","minLength":3,"maxLength":9}""", "\"so")]
    [InlineData("""{"type":"string","format":"uri","maxLength":60}""", "\"https://example.com/")]
    [InlineData("""{"type":"string","format":"email"}""", "\"some.body")]
    [InlineData("""{"oneOf":[{"type":"string","pattern":"APPROVER"},{"type":"string","pattern":"SIGNER"}]}""", "\"AP")]
    [InlineData("""{"type":"string","pattern":"^[Ā-ſ]{2,9}x?$"}""", "\"Āā")]
    [InlineData("""{"patternProperties":{"^[a-zA-Z0-9_-]{0,250}$":{"type":"integer"}}}""", "{\"key")]
    [InlineData("""{"patternProperties":{"^[a-zA-Z0-9_-]{0,250}$":{"type":"integer"}},"additionalProperties":false}""", "{\"key")]
    [InlineData("""{"patternProperties":{"^x_":{},"net_[a-z]+":{"type":"null"},"[0-9]$":false},"properties":{"title":{},"a.b":{}},"additionalProperties":false}""", "{\"")]
    [InlineData("""{"propertyNames":{"pattern":"^[^ ]+$"},"properties":{"a b":{},"ab":{}},"required":["ab"]}""", "{\"a")]
    [InlineData("""{"minProperties":3,"patternProperties":{"^[a-z ]+$":{"type":"boolean"}},"additionalProperties":false}""", "{\"a\":true,\"")]
    [InlineData("""{"not":{"propertyNames":{"pattern":"^a"}},"maxProperties":1}""", "{\"")]
    [InlineData("""{"type":"array","uniqueItems":true,"items":{"type":"string"}}""", "[\"")]
    [InlineData("""{"type":"array","uniqueItems":true,"items":{"type":["string","integer"]}}""", "[\"drupal:block\", 45")]
    public void A_mask_is_what_trying_every_token_gives(string schema, string before)
    {
        var tokenizer = TokenizerAssets.Load("smollm2");
        foreach (var free in (ReadOnlySpan<bool>)[true, false])
        {
            var state = Schemas.Compile(schema, new JsonSchemaOptions { FreeWhiteSpace = free }).Start(tokenizer);
            foreach (var id in tokenizer.Encode(free ? before : before.Replace(", ", ",", StringComparison.Ordinal)))
            {
                Assert.True(state.Advance(id), before);
            }

            var mask = new uint[state.MaskWords];
            state.ComputeMask(mask);
            var allowed = 0;
            for (var id = 0; id < tokenizer.VocabularySize; id++)
            {
                var isAllowed = ((mask[id >> 5] >> id) & 1) != 0;
                Assert.True(isAllowed == state.Clone().Advance(id), $"token {id} '{Encoding.UTF8.GetString(tokenizer.GetTokenText(id))}', in the mask: {isAllowed}");
                allowed += isAllowed ? 1 : 0;
            }

            Assert.True(allowed > 0);
        }
    }

    [Fact]
    public void Bytes_that_no_state_tells_apart_are_one_class()
    {
        var pool = new ExprPool();
        var words = pool.Repeat(pool.Branch(['0', '9', ExprPool.Epsilon, 'a', 'z', ExprPool.Epsilon]), 0, 40);
        var classes = pool.ClassesOf([words]);
        Assert.Equal(classes.Map['0'], classes.Map['z']);
        Assert.NotEqual(classes.Map['a'], classes.Map['A']);
        Assert.NotEqual(classes.Map['A'], classes.Map['"']);
        Assert.Equal(classes, pool.ClassesOf([pool.Next(words, (byte)'x')]));
        Assert.Equal(classes, ByteClasses.Of(classes.Map));
    }

    [Fact]
    public void The_shortest_text_is_counted_in_characters()
    {
        var pool = new ExprPool();
        int Whole(string pattern) => RegexCompiler.Whole(pool, RegexSyntax.Parse(pattern, RegexDialect.Ecma));
        Assert.Equal(3, pool.Shortest(Whole("(é|aé){3,}b?")));
        Assert.Equal(0, pool.Shortest(Whole("(abc)*")));
        Assert.Equal(6, pool.Shortest(pool.And(Whole("(ab)+"), Whole("(.{3})+"))));
        // Within a character, the rest of it is none.
        Assert.Equal(1, pool.Shortest(pool.Next(Whole("éb"), 0xC3)));
    }
}
