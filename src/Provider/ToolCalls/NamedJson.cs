using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>A name, a separator, and the arguments as JSON, between tokens.</summary>
/// <param name="Section">Opens and closes all calls together; null where there is none.</param>
/// <param name="Call">Opens and closes one call; the end may be empty.</param>
/// <param name="Separator">Between name and arguments.</param>
/// <param name="NumbersNames">Names are written <c>functions.name:0</c>.</param>
internal sealed record NamedJsonTags((string Start, string End)? Section, (string Start, string End) Call, string Separator, bool NumbersNames = false);

/// <summary>DeepSeek and Kimi: a section of calls, each with a name and JSON.</summary>
internal sealed class NamedJson(NamedJsonTags tags) : CallSyntax
{
    private const string Fence = "```";

    public override IReadOnlyList<string> Openers { get; } = tags.Section is { } section ? [section.Start, tags.Call.Start] : [tags.Call.Start];

    public override IReadOnlyList<string> Triggers { get; } = [tags.Section is { } section ? section.Start : tags.Call.Start];

    public override GrammarPart Grammar(CallGrammar grammar, bool isOpened)
    {
        // A section's opener is the section's; without one it is the call's own.
        var call = grammar.EachTool((name, schema) => CallGrammar.Join(
            tags.NumbersNames ? GrammarPart.Regex("functions\\." + CallGrammar.Escape(name) + ":[0-9]{1,3}") : CallGrammar.Text(name),
            grammar.Tag(tags.Separator),
            CallGrammar.Arguments(schema),
            grammar.Tag(tags.Call.End)));
        var opened = CallGrammar.Join(grammar.Tag(tags.Call.Start), call);
        if (tags.Section is not { } section)
        {
            var first = isOpened ? call : opened;
            return grammar.IsMultiple ? CallGrammar.Join(first, GrammarPart.Repeat(opened, 0)) : first;
        }

        return CallGrammar.Join(isOpened ? CallGrammar.Text("") : grammar.Tag(section.Start), grammar.Several(opened, ""), grammar.Tag(section.End));
    }

    protected override bool ReadCalls(ref CallText text, ToolSet tools, bool isWhole, List<ToolCall> calls)
    {
        if (tags.Section is { } section)
        {
            text.Take(section.Start);
        }

        text.SkipSpace();
        while (text.Take(tags.Call.Start))
        {
            if (!ReadCall(ref text, tools, isWhole, calls))
            {
                return false;
            }

            text.SkipSpace();
        }

        if (tags.Section is { } ended)
        {
            text.Take(ended.End);
        }

        return calls.Count > 0;
    }

    private bool ReadCall(ref CallText text, ToolSet tools, bool isWhole, List<ToolCall> calls)
    {
        if (text.UpTo(tags.Separator) is not { } name)
        {
            return false;
        }

        // Older DeepSeek: function, separator, name, and the arguments in a fence.
        if (name.Trim() is "function" && !tools.Contains("function"))
        {
            var line = text.Text.AsSpan(text.At, text.Limit - text.At).IndexOf('\n');
            if (line < 0)
            {
                return false;
            }

            name = text.Text.Substring(text.At, line);
            text.At += line + 1;
        }

        name = name.Trim();
        string? id = null;
        if (name.LastIndexOf(':') is var colon and > 0)
        {
            (id, name) = (name, name[..colon]); // functions.name:0
        }

        if (name.Length == 0)
        {
            return false;
        }

        text.SkipSpace();
        if (text.Take(Fence))
        {
            text.Word();
            text.SkipSpace();
        }

        var start = text.At;
        if (text.Json() is { } json)
        {
            calls.Add(ToolCall.Of(name, id, json));
        }
        else if (text.UpTo(tags.Call.End) is { } broken)
        {
            calls.Add(ToolCall.Of(name, id, broken));
            return true;
        }
        else if (isWhole)
        {
            calls.Add(ToolCall.Of(name, id, text.Text.AsSpan(start, text.Limit - start)));
            text.At = text.Limit;
            return true;
        }
        else
        {
            return false;
        }

        text.SkipSpace();
        text.Take(Fence);
        text.SkipSpace();
        text.Take(tags.Call.End);
        return true;
    }
}
