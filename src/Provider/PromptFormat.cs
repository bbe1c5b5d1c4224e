using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text;
using KvPrefetch.Engine.Text.Templates;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.AI;

/// <summary>How one model writes a conversation: its own chat template; without one ChatML where the vocabulary has its tokens, else a plain transcript.</summary>
internal sealed class PromptFormat
{
    private const string TurnStart = "<|im_start|>";
    private const string TurnEnd = "<|im_end|>";

    private readonly Tokenizer _tokenizer;
    private readonly Func<JsonArray, IReadOnlyList<TextSpan>> _render;
    private readonly Lazy<bool> _writesToolCalls;
    private int[] _prefix = [];

    private PromptFormat(Tokenizer tokenizer, Func<JsonArray, IReadOnlyList<TextSpan>> render)
    {
        (_tokenizer, _render) = (tokenizer, render);
        _writesToolCalls = new Lazy<bool>(WritesToolCalls);
    }

    /// <summary>Tokens that end an answer; null: the model's own.</summary>
    public IReadOnlyList<int>? StopTokens { get; private init; }

    /// <summary>Texts that end an answer besides the caller's.</summary>
    public IReadOnlyList<string> StopStrings { get; private init; } = [];

    public static PromptFormat For(LlmEngine engine, Action<string> log)
    {
        var tokenizer = engine.Tokenizer ?? throw new UnsupportedModelException("The folder has no tokenizer.json, which a chat needs.", "tokenizer.json");
        if (engine.ChatTemplate is { } template)
        {
            return new PromptFormat(tokenizer, messages => template.Render(messages));
        }

        if (tokenizer.TryGetId(TurnStart, out _) && tokenizer.TryGetId(TurnEnd, out var turnEnd))
        {
            log("The folder has no chat template; its vocabulary has ChatML's tokens, so prompts are written as ChatML.");
            return new PromptFormat(tokenizer, ChatMl) { StopTokens = [.. engine.Model.StopTokens.Append(turnEnd).Distinct()] };
        }

        log("The folder has no chat template; prompts are written as a plain transcript (User: ... Assistant: ...), which the model may not have been trained on.");
        return new PromptFormat(tokenizer, Transcript) { StopStrings = ["\nUser:"], _prefix = tokenizer.Encode("", addSpecialTokens: true) };
    }

    /// <summary>Token ids of the conversation, with the assistant's turn opened.</summary>
    /// <param name="messages">From <see cref="PromptBuilder"/>; may be changed.</param>
    public int[] Encode(JsonArray messages)
    {
        if (messages.Any(m => m!["tool_calls"] is not null) && !_writesToolCalls.Value)
        {
            WriteCallsAsText(messages);
        }

        int[] ids = [.. _prefix, .. _tokenizer.Encode(_render(messages))];
        return ids.Length > 0 ? ids : throw Refusal.Of("messages", "The chat template makes an empty prompt of these messages.");
    }

    internal static List<TextSpan> ChatMl(JsonArray messages)
    {
        var spans = new List<TextSpan>();
        foreach (var (role, content) in Turns(messages))
        {
            spans.Add(new(TurnStart + role + "\n", Provenance.Template));
            spans.Add(new(content, Provenance.Content));
            spans.Add(new(TurnEnd + "\n", Provenance.Template));
        }

        spans.Add(new(TurnStart + "assistant\n", Provenance.Template));
        return spans;
    }

    internal static List<TextSpan> Transcript(JsonArray messages)
    {
        var spans = new List<TextSpan>();
        foreach (var (role, content) in Turns(messages))
        {
            spans.Add(new(char.ToUpperInvariant(role[0]) + role[1..] + ": ", Provenance.Template));
            spans.Add(new(content, Provenance.Content));
            spans.Add(new("\n", Provenance.Template));
        }

        spans.Add(new("Assistant:", Provenance.Template));
        return spans;
    }

    /// <summary>Calls of the history, for a format that has no place for them: JSON behind the turn's text, so that the model still sees them.</summary>
    internal static void WriteCallsAsText(JsonArray messages)
    {
        foreach (var message in messages.Where(m => m!["tool_calls"] is not null))
        {
            var calls = message!["tool_calls"]!.AsArray().Select(call => call!["function"]!.ToJsonString(CompactJson.Options));
            var text = message["content"]!.GetValue<string>();
            message["content"] = string.Join('\n', text.Length == 0 ? calls : calls.Prepend(text));
            message.AsObject().Remove("tool_calls");
        }
    }

    // Roles come from PromptBuilder, which knows four.
    private static IEnumerable<(string Role, string Content)> Turns(JsonArray messages) =>
        messages.Select(m => (m!["role"]!.GetValue<string>(), m["content"]!.GetValue<string>()));

    /// <summary>Asks the template rather than reading it: does a call's name come out?</summary>
    private bool WritesToolCalls()
    {
        const string Probe = "probe_of_tool_calls";
        var call = new JsonObject { ["id"] = "call00000", ["type"] = "function", ["function"] = new JsonObject { ["name"] = Probe, ["arguments"] = new JsonObject() } };
        var messages = new JsonArray( // as a collection expression it would call Add<T>, which trimming cannot follow
            new JsonObject { ["role"] = "user", ["content"] = "?" },
            new JsonObject { ["role"] = "assistant", ["content"] = "", ["tool_calls"] = new JsonArray(call) });
        try
        {
            return string.Concat(_render(messages).Select(span => span.Text)).Contains(Probe, StringComparison.Ordinal);
        }
        catch (ChatTemplateException)
        {
            return true; // it looks at calls and has its own demands on them; its error for the real ones says which
        }
    }
}
