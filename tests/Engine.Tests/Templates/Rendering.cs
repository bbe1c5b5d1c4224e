using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text;
using KvPrefetch.Engine.Text.Templates;

namespace KvPrefetch.Tests.Templates;

/// <summary>Short ways to render a template in a test.</summary>
internal static class Rendering
{
    /// <param name="template">Jinja source.</param>
    /// <param name="variables">A JSON object.</param>
    /// <param name="messages">A JSON array.</param>
    public static IReadOnlyList<TextSpan> Spans(string template, string? variables = null, string messages = "[]")
        => ChatTemplate.Parse(template, new Dictionary<string, string>(StringComparer.Ordinal) { ["bos_token"] = "<s>", ["eos_token"] = "</s>" }).Render(
            JsonNode.Parse(messages)!.AsArray(),
            new ChatTemplateOptions { Variables = variables is null ? null : JsonNode.Parse(variables)!.AsObject(), Clock = FixedClock.Instance });

    public static string Text(string template, string? variables = null, string messages = "[]")
        => string.Concat(Spans(template, variables, messages).Select(span => span.Text));

    /// <summary>The output with content between « and ».</summary>
    public static string Marked(string template, string? variables = null, string messages = "[]")
        => string.Concat(Spans(template, variables, messages).Select(span => span.Provenance == Provenance.Content ? $"«{span.Text}»" : span.Text));

    public static ChatTemplateException Fails(ChatTemplateError reason, string template, string? variables = null, string messages = "[]")
    {
        var error = Assert.Throws<ChatTemplateException>(() => Spans(template, variables, messages));
        Assert.True(reason == error.Reason, $"{error.Reason}: {error.Message}");
        return error;
    }
}
