using KvPrefetch.Engine.Models;

namespace KvPrefetch.Tests.Models;

/// <summary>README's table of families is made from the catalog; family files are short.</summary>
public sealed class CatalogTests
{
    private const string Begin = "<!-- families: written by CatalogTests -->\n", End = "<!-- /families -->";
    private const int MostLines = 120, MedianLines = 60;

    [Fact]
    public void ReadmeListsTheFamiliesOfTheCatalog()
    {
        var path = Path.Combine(Repository(), "README.md");
        var text = File.ReadAllText(path).ReplaceLineEndings("\n");
        var table = "| `model_type` | what people know it as |\n|---|---|\n" + string.Concat(ModelCatalog.ModelTypes.Select(type => $"| `{type}` | {ModelCatalog.KnownAs(type)} |\n"));
        int from = text.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length, to = text.IndexOf(End, StringComparison.Ordinal);
        Assert.True(from > Begin.Length && to >= from, "README.md lacks the marks around the table of families");
        if (Environment.GetEnvironmentVariable("KVPREFETCH_APPROVE") == "1")
        {
            File.WriteAllText(path, text[..from] + table + text[to..]);
            return;
        }

        Assert.Equal(table, text[from..to]);
    }

    /// <summary>A file of Models is a family, or a part that several share.</summary>
    [Fact]
    public void FamilyFilesAreShort()
    {
        string[] shared = ["DecoderFamily", "FamilyNames", "IModel", "ModelCatalog", "PerLayerFields", "NormalQuantile"];
        var files = Directory.GetFiles(Path.Combine(Repository(), "src", "Engine", "Models"), "*.cs")
            .Select(f => (Name: Path.GetFileNameWithoutExtension(f), Lines: File.ReadAllLines(f).Length))
            .Where(f => !shared.Contains(f.Name, StringComparer.Ordinal))
            .OrderByDescending(f => f.Lines)
            .ToList();
        var median = files[files.Count / 2].Lines;
        TestContext.Current.TestOutputHelper?.WriteLine($"{files.Count} files, median {median} lines\n" + string.Join('\n', files.Select(f => $"{f.Lines,4} {f.Name}")));
        Assert.All(files, f => Assert.True(f.Lines <= MostLines, $"{f.Name} has {f.Lines} lines; at most {MostLines} are allowed"));
        Assert.InRange(median, 1, MedianLines);
    }

    private static string Repository()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "KvPrefetch.AI.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException("The tests do not run inside the repository.");
    }
}
