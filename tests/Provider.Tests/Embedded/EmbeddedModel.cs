using KvPrefetch.AI;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider.Embedded;

/// <summary>The embedded model, loaded once for a class of tests.</summary>
public sealed class EmbeddedModel : IDisposable
{
    public EmbeddedModel()
    {
        Client = new KvPrefetchChatClient(new KvPrefetchOptions { KvCacheBytes = 256 << 20 });
        Client.LoadAsync().GetAwaiter().GetResult();
        Engine = Client.GetService<LlmEngine>()!;
    }

    public KvPrefetchChatClient Client { get; }

    public LlmEngine Engine { get; }

    public void Dispose() => Client.Dispose();
}
