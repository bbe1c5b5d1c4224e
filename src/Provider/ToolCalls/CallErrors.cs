using Microsoft.Extensions.AI;

namespace KvPrefetch.AI.ToolCalls;

/// <summary>What becomes of calls that cannot be given out as such: content that says so, with what the model wrote in its details. It may come back in the history.</summary>
internal static class CallErrors
{
    public const string MalformedCode = "MalformedToolCall";
    public const string IncompleteCode = "IncompleteToolCall";
    public const string NotAllowedCode = "ToolCallNotAllowed";

    public static ErrorContent Malformed(string text, bool wasCut) => wasCut
        ? new ErrorContent("The answer reached its length within a tool call.") { ErrorCode = IncompleteCode, Details = text }
        : new ErrorContent($"The model wrote a tool call that cannot be read: {Quoted.Text(text)}.") { ErrorCode = MalformedCode, Details = text };

    public static ErrorContent NotAllowed(string name, string why) => new($"The model called {Quoted.Text(name)}, and {why}.") { ErrorCode = NotAllowedCode };

    public static bool IsOurs(ErrorContent error) => error.ErrorCode is MalformedCode or IncompleteCode or NotAllowedCode;
}
