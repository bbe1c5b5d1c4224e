namespace KvPrefetch.Tests.Simulation;

/// <summary>What one seed does to the scheduler: sizes, load and faults. Each fault is left out in one seed of three, so that every subset occurs.</summary>
internal sealed record Scenario
{
    public const int Vocabulary = 67;
    public const int MaxAlive = 24;

    public required int Pages { get; init; }
    public required int PageSize { get; init; }

    /// <summary>Tokens that the second group of layers sees; 0: there is none.</summary>
    public required int Window { get; init; }

    /// <summary>Pages of the second group.</summary>
    public required int WindowPages { get; init; }
    public required int MaxSequences { get; init; }
    public required int MaxBatchTokens { get; init; }
    public required int MaxPrompt { get; init; }
    public required int MaxOutput { get; init; }
    public required int StopTokens { get; init; }
    public required double ArrivalRate { get; init; }
    public required double DuplicateRate { get; init; }
    public required double CancelRate { get; init; }
    public required double FailRate { get; init; }
    public required double MidStepRate { get; init; }

    /// <summary>Pages are shared by those who begin alike; not in a model with windows or states.</summary>
    public required bool SharesPrefixes { get; init; }

    /// <summary>How often a prompt goes on from another request's text, or from its beginning.</summary>
    public required double ContinueRate { get; init; }

    /// <summary>How often a sampled token is followed by some that are certain without the model.</summary>
    public required double ForceRate { get; init; }
    public required int Steps { get; init; }

    public static Scenario From(Rng rng)
    {
        double Fault(double most) => rng.Chance(1 / 3.0) ? 0 : most * rng.Next(1000) / 1000;
        var pages = rng.Chance(0.5) ? rng.Between(2, 64) : rng.Between(2, 16);
        var pageSize = rng.Between(1, 16);
        var sharesPrefixes = rng.Chance(0.5);
        var window = sharesPrefixes || rng.Chance(0.4) ? 0 : rng.Between(1, 40);
        return new Scenario
        {
            Pages = pages,
            PageSize = pageSize,
            Window = window,
            WindowPages = window == 0 ? 0 : rng.Between(1, rng.Chance(0.5) ? 8 : 40),
            MaxSequences = rng.Between(1, 16),
            MaxBatchTokens = rng.Between(1, 32),

            // One seed in eight sends prompts that cannot fit at all.
            MaxPrompt = Math.Min(80, rng.Chance(0.125) ? (pages * pageSize) + 4 : Math.Max(1, pages * pageSize * rng.Between(1, 6) * rng.Between(1, 6) / 40)),
            MaxOutput = rng.Between(1, 100),
            StopTokens = rng.Next(3),
            ArrivalRate = rng.Between(2, 100) / 100.0,
            DuplicateRate = Fault(0.5),
            CancelRate = Fault(0.1),
            FailRate = Fault(0.05),
            MidStepRate = Fault(0.1),
            ForceRate = Fault(0.5),
            SharesPrefixes = sharesPrefixes,
            ContinueRate = Fault(0.8),
            Steps = rng.Between(100, 400),
        };
    }
}
