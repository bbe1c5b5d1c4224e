namespace KvPrefetch.AI;

/// <summary>Where a model's folder lies: at a path, or by its name under <c>models</c> beside the application, which is where packages with a model put it.</summary>
internal static class ModelPlace
{
    /// <summary>The model that is taken where none is named.</summary>
    public const string Default = "tiny-chat";

    /// <summary>What brings <see cref="Default"/>.</summary>
    private const string Package = "KvPrefetch.AI.TinyChat";

    public const string Advice = "give the path of a Hugging Face folder (config.json, tokenizer.json and *.safetensors, as published)";

    /// <summary>The folder: the path where a model is there, else the name beside the application where one is there, else the path.</summary>
    /// <param name="model">Path or name.</param>
    /// <param name="application">Folder of the application.</param>
    public static string Find(string model, string application) => !HasModel(model) && Beside(model, application) is { } beside && HasModel(beside) ? beside : model;

    /// <summary>Null where a model is there, else what is wrong and what to do.</summary>
    /// <param name="model">Path or name.</param>
    /// <param name="application">Folder of the application.</param>
    public static string? Missing(string model, string application)
    {
        if (HasModel(Find(model, application)))
        {
            return null;
        }

        var wrong = Directory.Exists(model) ? "has no config.json" : "is not a folder";
        return Beside(model, application) is null
            ? $"{Quoted.Text(model)} {wrong}; {Advice}."
            : $"{Quoted.Text(model)} {wrong}, and no model of that name lies in the folder 'models' beside the application; {Advice}, or reference the package {Package}, which brings {Default}.";
    }

    private static bool HasModel(string folder) => File.Exists(Path.Combine(folder, "config.json"));

    /// <summary>Null where the text is no name of a folder.</summary>
    private static string? Beside(string model, string application) =>
        model is "." or ".." || model.AsSpan().IndexOfAny('/', '\\', ':') >= 0 ? null : Path.Combine(application, "models", model);
}
