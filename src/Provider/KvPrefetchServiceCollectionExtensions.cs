using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace KvPrefetch.AI;

/// <summary>Registers chat clients that run their model inside this process, their warm-up with the host, and a health check each
/// (<c>kvprefetch</c>, or <c>kvprefetch:KEY</c>, tag <c>ready</c>) for hosts that have health checks.</summary>
public static class KvPrefetchServiceCollectionExtensions
{
    /// <summary>Registers <see cref="KvPrefetchChatClient"/> and <see cref="IChatClient"/>, with one engine behind both. A second call adds to the options of the first.</summary>
    public static IServiceCollection AddKvPrefetchChatClient(this IServiceCollection services, Action<KvPrefetchOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        Options(services, serviceKey: null).Configure(configure);
        return Register(services, serviceKey: null);
    }

    /// <summary>The same with options bound from configuration.</summary>
    public static IServiceCollection AddKvPrefetchChatClient(this IServiceCollection services, IConfigurationSection configuration)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configuration);
        Options(services, serviceKey: null).Bind(configuration);
        return Register(services, serviceKey: null);
    }

    /// <summary>Registers keyed <see cref="KvPrefetchChatClient"/> and <see cref="IChatClient"/>, with an engine of their own. The key is also the name of the options.</summary>
    public static IServiceCollection AddKvPrefetchChatClient(this IServiceCollection services, string serviceKey, Action<KvPrefetchOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(serviceKey);
        ArgumentNullException.ThrowIfNull(configure);
        Options(services, serviceKey).Configure(configure);
        return Register(services, serviceKey);
    }

    private static OptionsBuilder<KvPrefetchOptions> Options(IServiceCollection services, string? serviceKey)
    {
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<KvPrefetchOptions>, KvPrefetchOptionsValidator>());
        return services.AddOptions<KvPrefetchOptions>(serviceKey).ValidateOnStart();
    }

    /// <summary>A null key registers services without one.</summary>
    private static IServiceCollection Register(IServiceCollection services, string? serviceKey)
    {
        if (services.Any(s => s.ServiceType == typeof(EngineHost) && Equals(s.ServiceKey, serviceKey)))
        {
            return services;
        }

        services.AddKeyedSingleton(serviceKey, (provider, _) => new EngineHost(
            provider.GetRequiredService<IOptionsMonitor<KvPrefetchOptions>>().Get(serviceKey),
            Logging(provider).CreateLogger<KvPrefetchChatClient>()));
        services.AddKeyedSingleton(serviceKey, (provider, _) => new KvPrefetchChatClient(provider.GetRequiredKeyedService<EngineHost>(serviceKey), ownsHost: false));
        services.AddKeyedSingleton<IChatClient>(serviceKey, (provider, _) => provider.GetRequiredKeyedService<KvPrefetchChatClient>(serviceKey));
        services.AddSingleton<IHostedService>(provider => new WarmUpService(provider, serviceKey, Logging(provider).CreateLogger<WarmUpService>()));
        services.Configure<HealthCheckServiceOptions>(checks => checks.Registrations.Add(new HealthCheckRegistration(
            serviceKey is null ? "kvprefetch" : "kvprefetch:" + serviceKey,
            provider => new ModelHealthCheck(provider.GetRequiredKeyedService<EngineHost>(serviceKey)),
            failureStatus: null,
            tags: ["ready"])));
        return services;
    }

    private static ILoggerFactory Logging(IServiceProvider provider) => provider.GetService<ILoggerFactory>() ?? NullLoggerFactory.Instance;
}
