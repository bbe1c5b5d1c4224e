using System.Text.Json.Nodes;
using KvPrefetch.Engine.Text;
using KvPrefetch.Engine.Text.Templates;

namespace KvPrefetch.Tests.Templates;

/// <summary>Templates of real models, conversations, and what transformers made of them.</summary>
internal sealed class Goldens
{
    private Goldens(string folder)
    {
        Conversations = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "conversations.json")))!.AsObject();
        Rendered = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "rendered.json")))!.AsObject();
        SpecialTokens = Conversations["special_tokens"]!.AsObject().ToDictionary(pair => pair.Key, pair => (string)pair.Value!, StringComparer.Ordinal);
        Folder = folder;
    }

    public static Goldens Load() => new(Path.Combine(TestAssets.Shared, "goldens", "templates"));

    public string Folder { get; }
    public JsonObject Conversations { get; }
    public JsonObject Rendered { get; }
    public Dictionary<string, string> SpecialTokens { get; }

    public IEnumerable<string> Names => Rendered.Select(pair => pair.Key);

    public ChatTemplate Template(string name) => ChatTemplate.Parse(File.ReadAllText(Path.Combine(Folder, name + ".jinja")), SpecialTokens);

    public static IReadOnlyList<TextSpan> Render(ChatTemplate template, JsonNode conversation) => template.Render(
        conversation["messages"]!.AsArray(),
        new ChatTemplateOptions
        {
            Tools = conversation["tools"]?.AsArray(),
            AddGenerationPrompt = (bool)conversation["add_generation_prompt"]!,
            Variables = conversation["kwargs"]?.AsObject(),
            Clock = FixedClock.Instance,
        });
}

/// <summary>The moment at which the goldens were rendered.</summary>
internal sealed class FixedClock : TimeProvider
{
    public static readonly FixedClock Instance = new();

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override DateTimeOffset GetUtcNow() => new(2026, 3, 14, 15, 9, 26, TimeSpan.Zero);
}
