using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace KvPrefetch.AI;

/// <summary>Health of one registered model: Unhealthy before it is ready and after a fault, Degraded while the key-value cache is (nearly) full, else Healthy.</summary>
public sealed class KvPrefetchHealthCheck : IHealthCheck
{
    private const double FullShare = 0.95;
    private readonly EngineHost _host;

    internal KvPrefetchHealthCheck(EngineHost host) => _host = host;

    /// <summary>For <c>services.AddHealthChecks().Add(...)</c>.</summary>
    /// <param name="serviceKey">Key that the client was registered with; null for the one without.</param>
    /// <param name="name">Name of the check; null makes one from the key.</param>
    public static HealthCheckRegistration Registration(string? serviceKey = null, string? name = null) => new(
        name ?? (serviceKey is null ? "kvprefetch" : "kvprefetch:" + serviceKey),
        services => services.GetRequiredKeyedService<KvPrefetchHealthCheck>(serviceKey),
        failureStatus: null,
        tags: ["ready"]);

    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(Check());

    private HealthCheckResult Check()
    {
        if (_host.IsDisposed)
        {
            return HealthCheckResult.Unhealthy($"Model {_host.ModelId} is disposed.");
        }

        if (_host.Engine is not { } engine)
        {
            return _host.LoadError is { } error
                ? HealthCheckResult.Unhealthy($"Model {_host.ModelId} cannot be loaded.", error)
                : HealthCheckResult.Unhealthy($"Model {_host.ModelId} is not loaded yet.");
        }

        var stats = engine.Stats;
        var data = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["backend"] = stats.Backend,
            ["pagesUsed"] = stats.PagesUsed,
            ["pagesTotal"] = stats.PagesTotal,
            ["running"] = stats.RunningSequences,
            ["waiting"] = stats.WaitingSequences,
        };
        return stats.Faulted ? HealthCheckResult.Unhealthy($"Model {_host.ModelId} met an error it cannot recover from.", data: data)
            : stats.PagesUsed >= FullShare * stats.PagesTotal ? HealthCheckResult.Degraded($"Model {_host.ModelId}: {stats.PagesUsed} of {stats.PagesTotal} key-value pages are used.", data: data)
            : HealthCheckResult.Healthy($"Model {_host.ModelId} is ready.", data);
    }
}
