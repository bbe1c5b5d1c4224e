using System.Text.Json;
using KvPrefetch.AI;
using KvPrefetch.Engine;
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
    public void A_refusal_is_kept_and_told_again_and_so_is_that_nothing_is_enforced()
    {
        var cache = new GrammarCache(1 << 20);
        var (first, second) = (Refusal(() => throw new GrammarException(GrammarError.Unsupported, "why", "/a")), Refusal(() => throw new InvalidOperationException("compiled again")));
        Assert.NotSame(first, second);
        Assert.Equal((first.Reason, first.Message, first.Pointer), (second.Reason, second.Message, second.Pointer));
        Assert.Null(cache.Get("nothing", () => null));
        Assert.Null(cache.Get("nothing", () => throw new InvalidOperationException("compiled again")));
        GrammarException Refusal(Func<Grammar?> compile) => Assert.Throws<GrammarException>(() => cache.Get("a", compile));
    }

    [Fact]
    public void What_fails_otherwise_is_not_kept()
    {
        var cache = new GrammarCache(1 << 20);
        Assert.Throws<FormatException>(() => cache.Get("a", () => throw new FormatException()));
        Assert.NotNull(cache.Get("a", () => Compile(1)));
    }

    [Fact]
    public void Sixty_four_who_ask_at_once_share_one_compilation()
    {
        var cache = new GrammarCache(1 << 20);
        var compiled = 0;
        var grammars = new Grammar?[64];
        Parallel.For(0, 64, i => grammars[i] = cache.Get("a", () =>
        {
            Interlocked.Increment(ref compiled);
            return Compile(1);
        }));
        Assert.Equal(1, compiled);
        Assert.All(grammars, grammar => Assert.Same(grammars[0], grammar));
    }

    private static Grammar Compile(int number) =>
        Grammar.FromJsonSchema(JsonDocument.Parse($$$"""{"type":"object","properties":{"p{{{number}}}":{"const":{{{number}}} } },"additionalProperties":false}""").RootElement);
}
