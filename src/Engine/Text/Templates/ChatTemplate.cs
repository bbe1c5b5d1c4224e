using System.Text.Json.Nodes;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>What a template is rendered with, besides the messages.</summary>
public sealed record ChatTemplateOptions
{
    /// <summary>Tool declarations as the model's template expects them (OpenAI's function form); null when there are none.</summary>
    public JsonArray? Tools { get; init; }

    /// <summary>Open the assistant's turn at the end.</summary>
    public bool AddGenerationPrompt { get; init; } = true;

    /// <summary>Further variables the template may read, such as <c>enable_thinking</c>.</summary>
    public JsonObject? Variables { get; init; }

    /// <summary>Clock behind <c>strftime_now</c>; null is the system's.</summary>
    public TimeProvider? Clock { get; init; }
}

/// <summary>A model's Jinja chat template. Safe for concurrent use.</summary>
public sealed class ChatTemplate
{
    /// <summary>Reads the folder's template (chat_template.jinja, else chat_template of tokenizer_config.json); null where it has none.</summary>
    public static ChatTemplate? Load(string folder) => null;

    /// <param name="source">Jinja source.</param>
    /// <param name="specialTokens">Variables such as <c>bos_token</c>; their text counts as the template's own.</param>
    public static ChatTemplate Parse(string source, IReadOnlyDictionary<string, string>? specialTokens = null) => throw new NotSupportedException();

    /// <summary>Renders messages (objects with <c>role</c>, <c>content</c>, ...). Every string that comes from <paramref name="messages"/>, tools or variables stays <see cref="Provenance.Content"/>.</summary>
    public IReadOnlyList<TextSpan> Render(JsonArray messages, ChatTemplateOptions? options = null) => throw new NotSupportedException();
}
