using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace KvPrefetch.AI;

/// <summary>Health of one registered model: Unhealthy before it is ready and after a fault, Degraded while the key-value cache is (nearly) full, else Healthy.</summary>
internal sealed class ModelHealthCheck(EngineHost host) : IHealthCheck
{
    private const double FullShare = 0.95;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(Check());

    private HealthCheckResult Check()
    {
        if (host.IsDisposed)
        {
            return HealthCheckResult.Unhealthy($"Model {host.ModelId} is disposed.");
        }

        if (host.Engine is not { } engine)
        {
            return host.LoadError is { } error
                ? HealthCheckResult.Unhealthy($"Model {host.ModelId} cannot be loaded.", error)
                : HealthCheckResult.Unhealthy($"Model {host.ModelId} is not loaded yet.");
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
        return stats.Faulted ? HealthCheckResult.Unhealthy($"Model {host.ModelId} met an error it cannot recover from.", data: data)
            : stats.PagesUsed >= FullShare * stats.PagesTotal ? HealthCheckResult.Degraded($"Model {host.ModelId}: {stats.PagesUsed} of {stats.PagesTotal} key-value pages are used.", data: data)
            : HealthCheckResult.Healthy($"Model {host.ModelId} is ready.", data);
    }
}
