using Microsoft.Extensions.DependencyInjection;

namespace KvPrefetch.AI;

/// <summary>Registers a chat client on the model of this package.</summary>
public static class TinyChatServiceCollectionExtensions
{
    /// <summary>As <see cref="KvPrefetchServiceCollectionExtensions.AddKvPrefetchChatClient(IServiceCollection, Action{KvPrefetchOptions})"/> with <see cref="TinyChatModel"/>.</summary>
    /// <param name="services">Where to.</param>
    /// <param name="configure">The other options; null leaves them as they are.</param>
    public static IServiceCollection AddTinyChat(this IServiceCollection services, Action<KvPrefetchOptions>? configure = null) => services.AddKvPrefetchChatClient(Options(configure));

    /// <summary>The same under a key.</summary>
    /// <param name="services">Where to.</param>
    /// <param name="serviceKey">Of the client.</param>
    /// <param name="configure">The other options; null leaves them as they are.</param>
    public static IServiceCollection AddTinyChat(this IServiceCollection services, string serviceKey, Action<KvPrefetchOptions>? configure = null) =>
        services.AddKvPrefetchChatClient(serviceKey, Options(configure));

    private static Action<KvPrefetchOptions> Options(Action<KvPrefetchOptions>? configure) => options =>
    {
        options.Model = TinyChatModel.Name;
        configure?.Invoke(options);
    };
}
