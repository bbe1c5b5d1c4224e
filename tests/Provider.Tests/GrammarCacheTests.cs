using System.Text.Json;
using KvPrefetch.AI;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.Tests.Provider;

public sealed class GrammarCacheTests
{
    [Fact]
    public void GS14_a_stream_of_unique_schemas_stays_within_its_bytes_and_what_is_used_stays()
    {
        const long Limit = 256 << 10;
        var cache = new GrammarCache(Limit);
        var kept = cache.Get("kept", () => Compile(-1));
        for (var i = 0; i < 500; i++)
        {
            cache.Get("schema " + i, () => Compile(i));
            Assert.Same(kept, cache.Get("kept", () => throw new InvalidOperationException("compiled again")));
            Assert.InRange(cache.Bytes, 1, Limit);
        }
    }

    [Fact]
    public void What_cannot_be_compiled_is_not_kept()
    {
        var cache = new GrammarCache(1 << 20);
        Assert.Throws<FormatException>(() => cache.Get("a", () => throw new FormatException()));
        Assert.NotNull(cache.Get("a", () => Compile(1)));
    }

    private static Grammar Compile(int number) =>
        Grammar.FromJsonSchema(JsonDocument.Parse($$$"""{"type":"object","properties":{"p{{{number}}}":{"const":{{{number}}} } },"additionalProperties":false}""").RootElement);
}
