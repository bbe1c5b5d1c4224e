using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Constraints;

/// <summary>Makes the errors of this room: at most eighty characters of somebody's text in a message.</summary>
internal static class GrammarErrors
{
    private const int MaxShown = 80;

    public static GrammarException Invalid(string message, string? pointer = null) => new(GrammarError.Invalid, At(message, pointer), pointer);

    public static GrammarException Unsupported(string message, string? pointer = null) => new(GrammarError.Unsupported, At(message, pointer), pointer);

    public static GrammarException Limit(string message, string? pointer = null) => new(GrammarError.Limit, At(message, pointer), pointer);

    public static GrammarException Unsatisfiable(string message, string? pointer = null) => new(GrammarError.Unsatisfiable, At(message, pointer), pointer);

    public static string Shown(string text)
    {
        text = text.Length <= MaxShown ? text : text[..(MaxShown - 3)] + "...";
        return string.Create(text.Length, text, static (span, from) =>
        {
            for (var i = 0; i < span.Length; i++)
            {
                span[i] = char.IsControl(from[i]) || char.IsSurrogate(from[i]) ? '?' : from[i];
            }
        });
    }

    private static string At(string message, string? pointer) => pointer is null ? message : $"{message} (at {(pointer.Length == 0 ? "the root" : Shown(pointer))})";
}

/// <summary>The guard of every recursion that a grammar can reach.</summary>
internal static class Deep
{
    public static void Check()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw GrammarErrors.Limit("The grammar is nested too deeply.");
        }
    }
}
