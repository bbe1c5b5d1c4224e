namespace KvPrefetch.AI;

/// <summary>The model of this package. The build copies its folder beside the application, where <see cref="KvPrefetchOptions.Model"/> finds it by its name.</summary>
public static class TinyChatModel
{
    /// <summary>The name for <see cref="KvPrefetchOptions.Model"/>, which is its default too.</summary>
    public const string Name = "tiny-chat";

    /// <summary>Full path of the Hugging Face folder, for those who open it without a chat client.</summary>
    public static string Folder { get; } = Path.Combine(AppContext.BaseDirectory, "models", Name);
}
