using System.Reflection;

namespace KvPrefetch.Tests.Architecture;

/// <summary>What callers see is approved by a person: approved/*.txt. To approve a change:
/// <c>KVPREFETCH_APPROVE=1 dotnet test tests/Architecture.Tests -c Release</c>, then read the diff.</summary>
public class PublicSurfaceTests
{
    [Theory]
    [InlineData("KvPrefetch.Engine")]
    [InlineData("KvPrefetch.AI")]
    [InlineData("KvPrefetch.AI.TinyChat")]
    public void The_public_surface_is_the_approved_one(string assembly)
    {
        if (TestAssets.Repository is null)
        {
            Assert.Skip("not found: the repository (published tests)");
        }

        var file = Path.Combine(TestAssets.Repository, "tests", "Architecture.Tests", "approved", assembly + ".txt");
        var actual = PublicSurface.Of(Assembly.Load(assembly));
        if (string.Equals(Environment.GetEnvironmentVariable("KVPREFETCH_APPROVE"), "1", StringComparison.Ordinal))
        {
            File.WriteAllText(file, actual);
        }

        var approved = File.Exists(file) ? File.ReadAllText(file).ReplaceLineEndings("\n") : string.Empty;
        Assert.True(actual == approved, $"The public surface of {assembly} is not the approved one:{Environment.NewLine}{Difference(approved, actual)}" +
            "To approve it: KVPREFETCH_APPROVE=1 dotnet test tests/Architecture.Tests -c Release, then read the diff.");
    }

    /// <summary>Lines of one text that the other lacks, under the type they stand in.</summary>
    private static string Difference(string approved, string actual)
    {
        var before = Lines(approved).ToHashSet(StringComparer.Ordinal);
        var after = Lines(actual).ToHashSet(StringComparer.Ordinal);
        return string.Concat(before.Except(after, StringComparer.Ordinal).Select(line => "- " + line + Environment.NewLine)
            .Concat(after.Except(before, StringComparer.Ordinal).Select(line => "+ " + line + Environment.NewLine)));
    }

    private static IEnumerable<string> Lines(string text)
    {
        var type = string.Empty;
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line[0] != ' ')
            {
                type = line;
                yield return line;
            }
            else
            {
                yield return type + " |" + line;
            }
        }
    }
}
