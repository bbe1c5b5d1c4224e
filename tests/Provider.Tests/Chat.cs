using System.Diagnostics;
using KvPrefetch.AI;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider;

/// <summary>What the tests of the chat client share.</summary>
internal static class Chat
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>One thread: such a model has nothing to share out, and a busy machine makes two wait for each other.</summary>
    public static KvPrefetchOptions Options(TinyModel model) => new() { Model = model.Path, ModelId = "tiny", Threads = 1, KvCacheBytes = 16 << 20 };

    public static ChatOptions Greedy(int tokens) => new() { Temperature = 0, MaxOutputTokens = tokens };

    public static ChatOptions Sampled(int tokens, long? seed) => new() { Temperature = 1, Seed = seed, MaxOutputTokens = tokens };

    public static ChatMessage[] User(string text) => [new(ChatRole.User, text)];

    public static async Task<List<ChatResponseUpdate>> CollectAsync(IAsyncEnumerable<ChatResponseUpdate> stream)
    {
        var updates = new List<ChatResponseUpdate>();
        await foreach (var update in stream)
        {
            updates.Add(update);
        }

        return updates;
    }

    public static string Text(IEnumerable<ChatResponseUpdate> updates) => string.Concat(updates.Select(u => u.Text));

    /// <summary>Starts a stream and takes its first update with text, so that it is surely running.</summary>
    public static async Task<IAsyncEnumerator<ChatResponseUpdate>> StartedAsync(IAsyncEnumerable<ChatResponseUpdate> stream, CancellationToken cancellationToken = default)
    {
        var enumerator = stream.GetAsyncEnumerator(cancellationToken);
        do
        {
            Assert.True(await enumerator.MoveNextAsync());
        }
        while (enumerator.Current.Text.Length == 0);

        return enumerator;
    }

    /// <summary>Waits until nothing runs, nothing waits and every page is free.</summary>
    public static Task IdleAsync(LlmEngine engine) => EventuallyAsync(() => engine.Stats is { RunningSequences: 0, WaitingSequences: 0, PagesUsed: 0 });

    public static async Task EventuallyAsync(Func<bool> condition)
    {
        var since = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.True(Stopwatch.GetElapsedTime(since) < Patience, "did not come to pass within " + Patience);
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }
    }
}

/// <summary>One tiny model whose answers end by length alone, loaded once for a class of tests.</summary>
public sealed class TinyChat : IDisposable
{
    private readonly TinyModel _model = TinyModel.Create(new() { EndsItself = false });

    public TinyChat()
    {
        Client = new KvPrefetchChatClient(Chat.Options(_model));
        Client.LoadAsync().GetAwaiter().GetResult();
        Engine = Client.GetService<LlmEngine>()!;
    }

    public KvPrefetchChatClient Client { get; }

    public LlmEngine Engine { get; }

    public void Dispose()
    {
        Client.Dispose();
        _model.Dispose();
    }
}
