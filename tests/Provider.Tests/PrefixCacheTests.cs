using System.Text.Json;
using KvPrefetch.AI;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider;

/// <summary>What an agent feels: instructions and earlier turns are computed once, and the usage says so.</summary>
public sealed class PrefixCacheTests : IDisposable
{
    private readonly TinyModel _model = TinyModel.Create(new() { EndsItself = false, ContextLength = 1024 });

    public void Dispose() => _model.Dispose();

    private static ChatOptions Options(object? salt = null) => new()
    {
        Instructions = string.Concat(Enumerable.Repeat("Answer as a pirate would. ", 10)),
        Temperature = 1,
        Seed = 3,
        MaxOutputTokens = 20,
        AdditionalProperties = salt is null ? null : new() { ["cache_salt"] = salt },
    };

    [Fact]
    public async Task Usage_tells_what_was_found_and_the_next_turn_finds_the_one_before()
    {
        using var client = new KvPrefetchChatClient(Chat.Options(_model));
        var history = new List<ChatMessage>(Chat.User("Hello"));
        var first = await client.GetResponseAsync(history, Options());
        Assert.Equal(0, first.Usage!.CachedInputTokenCount);
        var again = await client.GetResponseAsync(history, Options());
        Assert.Equal(first.Text, again.Text);
        Assert.Equal((first.Usage.InputTokenCount - 1) / 16 * 16, again.Usage!.CachedInputTokenCount);
        history.AddMessages(first);
        history.Add(new ChatMessage(ChatRole.User, "And then?"));
        var second = await client.GetResponseAsync(history, Options());

        // At least the first turn's prompt; the answer too where its text is cut into the tokens it was made of.
        Assert.InRange(second.Usage!.CachedInputTokenCount!.Value, first.Usage.InputTokenCount!.Value / 16 * 16, second.Usage.InputTokenCount!.Value - 1);
        Assert.True(client.GetService<LlmEngine>()!.Stats.PrefixHitTokens > 0);
    }

    [Fact]
    public async Task A_salt_keeps_tenants_apart_and_switched_off_nothing_is_found()
    {
        using var client = new KvPrefetchChatClient(Chat.Options(_model));
        var text = (await client.GetResponseAsync(Chat.User("Hello"), Options())).Text;
        foreach (var (salt, isFound) in new (object, bool)[] { ("a", false), (JsonDocument.Parse("\"a\"").RootElement, true), ("b", false) })
        {
            var response = await client.GetResponseAsync(Chat.User("Hello"), Options(salt));
            Assert.Equal((text, isFound), (response.Text, response.Usage!.CachedInputTokenCount > 0));
        }

        var off = Chat.Options(_model);
        off.PrefixCache = false;
        using var without = new KvPrefetchChatClient(off);
        await without.GetResponseAsync(Chat.User("Hello"), Options());
        var second = await without.GetResponseAsync(Chat.User("Hello"), Options());
        Assert.Equal((text, 0L), (second.Text, second.Usage!.CachedInputTokenCount));
    }
}
