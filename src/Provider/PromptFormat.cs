using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using KvPrefetch.AI.ToolCalls;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text;
using KvPrefetch.Engine.Text.Templates;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.AI;

/// <summary>A conversation as one model reads it.</summary>
/// <param name="Tokens">Token ids, with the assistant's turn opened.</param>
/// <param name="Tail">The end of the rendered text that the template wrote itself: how the answer begins.</param>
/// <param name="InSection">Tools were declared in a section of ours, which says how to call them.</param>
internal sealed record Prompt(int[] Tokens, string Tail, bool InSection = false);

/// <summary>How one model writes a conversation: its own chat template; without one ChatML where the vocabulary has its tokens, else a plain transcript.
/// What a format has no place for is written otherwise, and said so once in the log: system text in the user's turn, turns of one role in a row merged, tools in a section of ours.</summary>
internal sealed class PromptFormat
{
    private const string TurnStart = "<|im_start|>";
    private const string TurnEnd = "<|im_end|>";

    // In this order; a change that changes nothing here makes its combinations those tried before.
    private static readonly Reshape[] Reshapes =
    [
        Reshape.ShortIds, Reshape.MergeTurns, Reshape.MergeTurns | Reshape.ShortIds, Reshape.SplitCalls, Reshape.SplitCalls | Reshape.ShortIds,
        Reshape.SplitCalls | Reshape.MergeTurns, Reshape.SplitCalls | Reshape.MergeTurns | Reshape.ShortIds, Reshape.CallsAsText, Reshape.CallsAsText | Reshape.MergeTurns,
    ];

    private readonly Tokenizer _tokenizer;
    private readonly Func<JsonArray, ChatTemplateOptions, IReadOnlyList<TextSpan>> _render;
    private readonly Lazy<TemplateProbe> _probe;
    private readonly Action<string> _log;
    private readonly ConcurrentDictionary<string, bool> _said = new(StringComparer.Ordinal);
    private int[] _prefix = [];

    private PromptFormat(Tokenizer tokenizer, string? template, Func<JsonArray, ChatTemplateOptions, IReadOnlyList<TextSpan>> render, Func<TemplateProbe> probe, Action<string> log)
    {
        (_tokenizer, _render, _log) = (tokenizer, render, log);
        Answers = AnswerFormat.Of(template, tokenizer);
        Constraints = new AnswerConstraint(tokenizer, Answers, log);
        _probe = new Lazy<TemplateProbe>(probe);
    }

    [Flags]
    private enum Reshape
    {
        ShortIds = 1,
        MergeTurns = 2,
        SplitCalls = 4,
        CallsAsText = 8,
    }

    /// <summary>Grammars of this model's requests.</summary>
    public AnswerConstraint Constraints { get; }

    /// <summary>How the model writes reasoning and calls.</summary>
    public AnswerFormat Answers { get; }

    /// <summary>Tokens that end an answer; null: the model's own.</summary>
    public IReadOnlyList<int>? StopTokens { get; private init; }

    /// <summary>Texts that end an answer besides the caller's.</summary>
    public IReadOnlyList<string> StopStrings { get; private init; } = [];

    public static PromptFormat For(LlmEngine engine, Action<string> log)
    {
        var tokenizer = engine.Tokenizer ?? throw new UnsupportedModelException("The folder has no tokenizer.json, which a chat needs.", "tokenizer.json");
        if (engine.ChatTemplate is { } template)
        {
            return For(tokenizer, template, log);
        }

        if (tokenizer.TryGetId(TurnStart, out _) && tokenizer.TryGetId(TurnEnd, out var turnEnd))
        {
            log("The folder has no chat template; its vocabulary has ChatML's tokens, so prompts are written as ChatML.");
            return new PromptFormat(tokenizer, template: null, (messages, _) => ChatMl(messages), () => TemplateProbe.TextOnly, log) { StopTokens = [.. engine.Model.StopTokens.Append(turnEnd).Distinct()] };
        }

        log("The folder has no chat template; prompts are written as a plain transcript (User: ... Assistant: ...), which the model may not have been trained on.");
        return new PromptFormat(tokenizer, template: null, (messages, _) => Transcript(messages), () => TemplateProbe.TextOnly, log) { StopStrings = ["\nUser:"], _prefix = tokenizer.Encode("", addSpecialTokens: true) };
    }

    /// <summary>A template's own way.</summary>
    internal static PromptFormat For(Tokenizer tokenizer, ChatTemplate template, Action<string> log) =>
        new(tokenizer, template.Source, template.Render, () => TemplateProbe.Of(template), log);

    /// <summary>Token ids of the conversation, with the assistant's turn opened.</summary>
    /// <param name="messages">From <see cref="PromptBuilder"/>; may be changed.</param>
    public int[] Encode(JsonArray messages) => Write(messages, tools: null, variables: null).Tokens;

    /// <summary>The conversation with what else the template reads.</summary>
    /// <param name="messages">From <see cref="PromptBuilder"/>; may be changed.</param>
    /// <param name="tools">Declarations in OpenAI's function form; null for none.</param>
    /// <param name="variables">Switches such as enable_thinking; null for none.</param>
    /// <exception cref="ChatTemplateException">The template refuses these messages, however they are written.</exception>
    public Prompt Write(JsonArray messages, JsonArray? tools, JsonObject? variables)
    {
        var (spans, inSection) = Render(messages, tools, variables);
        int[] ids = [.. _prefix, .. _tokenizer.Encode(spans)];
        return ids.Length > 0
            ? new Prompt(ids, spans is [.., { Provenance: Provenance.Template } last] ? last.Text : "", inSection)
            : throw Refusal.Of("messages", "The chat template makes an empty prompt of these messages.");
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

    // Roles come from PromptBuilder, which knows four.
    private static IEnumerable<(string Role, string Content)> Turns(JsonArray messages) =>
        messages.Select(m => (m!["role"]!.GetValue<string>(), m["content"]!.GetValue<string>()));

    private (IReadOnlyList<TextSpan> Spans, bool InSection) Render(JsonArray messages, JsonArray? tools, JsonObject? variables)
    {
        var probe = _probe.Value;
        var options = new ChatTemplateOptions { Tools = tools is { Count: > 0 } ? tools : null, Variables = variables };
        var inSection = options.Tools is not null && !probe.Tools;
        if (inSection)
        {
            Say("The chat format knows no tools; they are declared in a section of the system text.");
            options = TextInstead(messages, options);
        }

        else if (options.Tools is null && probe.NeedsTools)
        {
            options = options with { Tools = [] };
        }

        if (!probe.Calls && ConversationShape.CallsAsText(messages, ToolSection.Call))
        {
            Say("The chat format has no place for tool calls; they are written as text.");
        }

        if (!probe.Results && ConversationShape.ResultsAsUser(messages, ToolSection.Result))
        {
            Say("The chat format has no role for tool results; they are written as user turns.");
        }

        Arrange(messages, probe);
        if (probe.Calls && !probe.ParallelCalls && ConversationShape.SplitCalls(messages))
        {
            Say("The chat template takes one call a turn; several are written as several turns.");
        }

        if ((!probe.System || !probe.LateSystem) && ConversationShape.FoldSystem(messages, keepFirst: probe.System))
        {
            Say($"The chat template has no system role{(probe.System ? " after the start" : "")}; system text is written in front of the user's.");
        }

        if (!probe.ConsecutiveUsers && ConversationShape.MergeTurns(messages))
        {
            Say("The chat template takes no two turns of one role in a row; they are merged.");
        }

        try
        {
            return (_render(messages, options), inSection);
        }
        catch (ChatTemplateException e) when (e.Reason != ChatTemplateError.Limit)
        {
            foreach (var change in Reshapes)
            {
                if (TryReshaped(messages, options, change) is { } spans)
                {
                    return (spans, inSection || change.HasFlag(Reshape.CallsAsText));
                }
            }

            throw;
        }
    }

    private IReadOnlyList<TextSpan>? TryReshaped(JsonArray messages, ChatTemplateOptions options, Reshape change)
    {
        var copy = messages.DeepClone().AsArray();
        var changed = true;
        if (change.HasFlag(Reshape.CallsAsText))
        {
            // Not only the conversation may be what the template cannot write: a declaration may be too.
            changed &= ConversationShape.CallsAsText(copy, ToolSection.Call) | ConversationShape.ResultsAsUser(copy, ToolSection.Result) | options.Tools is not null;
            options = options.Tools is null ? options : TextInstead(copy, options);
            if (!_probe.Value.System)
            {
                ConversationShape.FoldSystem(copy, keepFirst: false);
            }
        }

        if (change.HasFlag(Reshape.SplitCalls))
        {
            changed &= ConversationShape.SplitCalls(copy);
        }

        if (change.HasFlag(Reshape.MergeTurns))
        {
            changed &= ConversationShape.FoldSystem(copy, keepFirst: _probe.Value.System) | ConversationShape.MergeTurns(copy);
        }

        if (change.HasFlag(Reshape.ShortIds))
        {
            changed &= ConversationShape.ShortIds(copy);
        }

        if (!changed)
        {
            return null;
        }

        try
        {
            var spans = _render(copy, options);
            Say($"The chat template refuses a conversation as it is; it is written otherwise ({change}).");
            return spans;
        }
        catch (ChatTemplateException)
        {
            return null;
        }
    }

    private ChatTemplateOptions TextInstead(JsonArray messages, ChatTemplateOptions options)
    {
        ConversationShape.AppendSystem(messages, ToolSection.Declare(options.Tools!));
        ConversationShape.CallsAsText(messages, ToolSection.Call);
        ConversationShape.ResultsAsUser(messages, ToolSection.Result);
        return options with { Tools = _probe.Value.NeedsTools ? [] : null };
    }

    /// <summary>Calls as the template reads them.</summary>
    private static void Arrange(JsonArray messages, TemplateProbe probe)
    {
        if (probe.NamedIds)
        {
            ConversationShape.RenameIds(messages, TemplateProbe.NamedId);
        }

        foreach (var message in messages.Where(m => m!["tool_calls"] is not null))
        {
            if (probe.NullContent && message!["content"]!.GetValue<string>().Length == 0)
            {
                message["content"] = null;
            }

            foreach (var call in probe.ArgumentsAsText ? message!["tool_calls"]!.AsArray() : [])
            {
                var function = call!["function"]!;
                function["arguments"] = function["arguments"]!.ToJsonString(CompactJson.Options);
            }
        }
    }

    private void Say(string sentence)
    {
        if (_said.TryAdd(sentence, value: true))
        {
            _log(sentence);
        }
    }
}
