using KvPrefetch.AI;

namespace KvPrefetch.Tests.Provider;

/// <summary>A model is a path, or a name beside the application.</summary>
public sealed class ModelPlaceTests : IDisposable
{
    private readonly string _application = Directory.CreateTempSubdirectory("kvprefetch-application-").FullName;

    public void Dispose() => Directory.Delete(_application, recursive: true);

    [Fact]
    public void Where_the_package_is_missing_the_error_names_it()
    {
        var missing = ModelPlace.Missing(TinyChatModel.Name, _application);
        Assert.StartsWith("'tiny-chat' is not a folder, and no model of that name lies in the folder 'models' beside the application", missing, StringComparison.Ordinal);
        Assert.Contains("reference the package KvPrefetch.AI.TinyChat", missing, StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_is_found_beside_the_application_and_a_path_is_not_looked_for_there()
    {
        var folder = Place("other");
        Assert.Equal(folder, ModelPlace.Find("other", _application));
        Assert.Null(ModelPlace.Missing("other", _application));
        foreach (var path in new[] { "./other", "../models/other", "x/other", ".", "..", "C:other" })
        {
            Assert.Equal(path, ModelPlace.Find(path, _application));
            Assert.DoesNotContain("KvPrefetch.AI.TinyChat", ModelPlace.Missing(path, _application), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_path_with_a_model_wins_over_a_name()
    {
        using var model = TinyModel.Create();
        Assert.Equal(model.Path, ModelPlace.Find(model.Path, _application));
    }

    private string Place(string name)
    {
        var folder = Path.Combine(_application, "models", name);
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), "{}");
        return folder;
    }
}
