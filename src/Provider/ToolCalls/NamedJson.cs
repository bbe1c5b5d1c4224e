namespace KvPrefetch.AI.ToolCalls;

/// <summary>A name, a separator, and the arguments as JSON, between tokens.</summary>
/// <param name="Section">Opens and closes all calls together; null where there is none.</param>
/// <param name="Call">Opens and closes one call; the end may be empty.</param>
/// <param name="Separator">Between name and arguments.</param>
internal sealed record NamedJsonTags((string Start, string End)? Section, (string Start, string End) Call, string Separator);

/// <summary>DeepSeek and Kimi: a section of calls, each with a name and JSON.</summary>
internal sealed class NamedJson(NamedJsonTags tags) : CallSyntax
{
    private const string Fence = "```";

    public override IReadOnlyList<string> Openers { get; } = tags.Section is { } section ? [section.Start, tags.Call.Start] : [tags.Call.Start];

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
