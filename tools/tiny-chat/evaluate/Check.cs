using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tools.Evaluate;

/// <summary>Looks at a reply; null where it is as it must be, else a sentence.</summary>
internal static partial class Check
{
    /// <summary>A text that came to its end, without a call.</summary>
    public static string? IsText(Reply reply) =>
        reply.Calls.Count > 0 ? $"called {reply.Calls[0].Name}" : reply.IsBroken ? "a broken call" : reply.IsCut ? "no end" : reply.Text.Length == 0 ? "nothing" : null;

    /// <summary>A text that has all of these, as words of their own and whatever their case.</summary>
    public static string? Says(Reply reply, params string[] words) =>
        IsText(reply) ?? (Array.Find(words, word => !Has(reply.Text, word)) is { } missing ? $"without '{missing}'" : null);

    /// <summary>A text that has one of these.</summary>
    public static string? SaysOneOf(Reply reply, params string[] words) =>
        IsText(reply) ?? (words.Any(word => Has(reply.Text, word)) ? null : $"none of: {string.Join(", ", words)}");

    /// <summary>One call of this function and nothing beside it.</summary>
    public static string? Calls(Reply reply, string function, params (string Name, Func<object?, bool> Fits)[] arguments)
    {
        if (reply.IsBroken || reply.IsCut)
        {
            return "a broken call";
        }

        if (reply.Calls.Count != 1)
        {
            return reply.Calls.Count == 0 ? "no call" : "several calls";
        }

        var call = reply.Calls[0];
        if (call.Exception is not null)
        {
            return "arguments that cannot be read";
        }

        if (!string.Equals(call.Name, function, StringComparison.Ordinal))
        {
            return $"called {call.Name} instead of {function}";
        }

        foreach (var (name, fits) in arguments)
        {
            if (call.Arguments is null || !call.Arguments.TryGetValue(name, out var value) || !fits(value))
            {
                return $"argument {name} is {(call.Arguments is not null && call.Arguments.TryGetValue(name, out var wrong) ? wrong ?? "null" : "missing")}";
            }
        }

        return call.Arguments?.Keys.FirstOrDefault(given => !Array.Exists(arguments, a => a.Name == given)) is { } extra && !(call.Arguments[extra] is null or JsonElement { ValueKind: JsonValueKind.Null })
            ? $"argument {extra} was not asked for" : null;
    }

    /// <summary>This text, whatever its case and the signs around it.</summary>
    public static Func<object?, bool> Is(string expected) => value => string.Equals(Plain(TextOf(value)), Plain(expected), StringComparison.OrdinalIgnoreCase);

    /// <summary>A text with all of these words.</summary>
    public static Func<object?, bool> Holds(params string[] words) => value => Array.TrueForAll(words, word => Has(TextOf(value), word));

    /// <summary>This number, as number and not as text.</summary>
    public static Func<object?, bool> Is(double expected) => value => value is JsonElement { ValueKind: JsonValueKind.Number } number && number.GetDouble() == expected || value is IConvertible and not string and not bool && Convert.ToDouble(value, CultureInfo.InvariantCulture) == expected;

    /// <summary>True or false.</summary>
    public static Func<object?, bool> Is(bool expected) => value => value is bool flag ? flag == expected : value is JsonElement { ValueKind: JsonValueKind.True or JsonValueKind.False } element && element.GetBoolean() == expected;

    /// <summary>An expression with this value.</summary>
    public static Func<object?, bool> Computes(double expected) => value => Arithmetic.TryEvaluate(TextOf(value), out var result) && Math.Abs(result - expected) < 1e-6;

    /// <summary>Two of such; for what may be said in more ways than one.</summary>
    public static Func<object?, bool> Either(Func<object?, bool> one, Func<object?, bool> other) => value => one(value) || other(value);

    /// <summary>The whole numbers of a text, in order.</summary>
    public static IReadOnlyList<int> Numbers(string text) =>
        [.. NumberPattern().Matches(text).Select(m => int.TryParse(m.ValueSpan, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : int.MinValue)];

    /// <summary>Whether a text has a word, not as a part of a longer word or number.</summary>
    public static bool Has(string text, string word)
    {
        for (var at = text.IndexOf(word, StringComparison.OrdinalIgnoreCase); at >= 0; at = text.IndexOf(word, at + 1, StringComparison.OrdinalIgnoreCase))
        {
            if ((at == 0 || !Joined(text[at - 1], word[0])) && (at + word.Length == text.Length || !Joined(text[at + word.Length], word[^1])))
            {
                return true;
            }
        }

        return false;
    }

    private static bool Joined(char outside, char edge) => char.IsLetterOrDigit(outside) && char.IsLetterOrDigit(edge);

    private static string TextOf(object? value) => value switch
    {
        null => "",
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } element => element.GetString()!,
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
    };

    private static string Plain(string text)
    {
        var plain = new StringBuilder(text.Length);
        foreach (var c in text.Trim().Trim('.', ',', '!', '?', '"', '\''))
        {
            plain.Append(char.IsWhiteSpace(c) ? ' ' : c);
        }

        return plain.ToString();
    }

    [GeneratedRegex(@"-?\d+", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex NumberPattern();
}
