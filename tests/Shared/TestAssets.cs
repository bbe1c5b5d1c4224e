namespace KvPrefetch.Tests;

/// <summary>Finds what tests may use but the repository does not carry: the reference goldens and a real model. A test that lacks one says so and is skipped;
/// with KVPREFETCH_REQUIRE_ASSETS=1 (CI, where they must be there) it fails instead.</summary>
internal static class TestAssets
{
    /// <summary>The folder with goldens/, or a skipped test. KVPREFETCH_SHARED names it; otherwise ../shared beside the repository.</summary>
    public static string Shared => Found(Environment.GetEnvironmentVariable("KVPREFETCH_SHARED") ?? BesideRepository(), "goldens", "the reference goldens (set KVPREFETCH_SHARED)");

    /// <summary>The folder of SmolLM2-135M-Instruct, or a skipped test. KVPREFETCH_MODEL names it.</summary>
    public static string SmolLM2 => Found(Environment.GetEnvironmentVariable("KVPREFETCH_MODEL"), "config.json", "the real model (set KVPREFETCH_MODEL to its folder)");

    /// <summary>The folder of the embedded model, which the repository carries.</summary>
    public static string TinyChat => Found(Repository is null ? null : Path.Combine(Repository, "src", "TinyChat", "model"), "config.json", "the repository (published tests)");

    /// <summary>Root of the repository, or null in a published test.</summary>
    public static string? Repository { get; } = FindRepository();

    /// <summary>Seconds each fuzzer runs: KVPREFETCH_FUZZ_SECONDS, else one.</summary>
    public static double FuzzSeconds => double.TryParse(Environment.GetEnvironmentVariable("KVPREFETCH_FUZZ_SECONDS"), out var seconds) ? seconds : 1;

    /// <summary>Skips the running test, or fails it where assets are required.</summary>
    public static void Missing(string what)
    {
        Assert.False(string.Equals(Environment.GetEnvironmentVariable("KVPREFETCH_REQUIRE_ASSETS"), "1", StringComparison.Ordinal), "required but not found: " + what);
        Assert.Skip("not found: " + what);
    }

    private static string Found(string? folder, string member, string what)
    {
        if (folder is null || !Path.Exists(Path.Combine(folder, member)))
        {
            Missing(what);
        }

        return folder!;
    }

    private static string? FindRepository()
    {
        var folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "KvPrefetch.AI.sln")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder;
    }

    private static string? BesideRepository() => Repository is null ? null : Path.Combine(Repository, "..", "shared");
}
