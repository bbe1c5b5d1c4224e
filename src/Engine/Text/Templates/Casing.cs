using System.Globalization;
using System.Text;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Case of characters as Unicode's full mappings have it (ß becomes SS), in every culture alike.</summary>
internal static class Casing
{
    public static StringValue Apply(RenderState state, StringValue text, string name)
    {
        switch (name)
        {
            case "upper":
                return PythonText.Map(state, text, Upper);
            case "lower":
                return PythonText.Map(state, text, (raw, i) => Lower(raw, i));
            case "casefold":
                return PythonText.Map(state, text, Fold);
            case "swapcase":
                return PythonText.Map(state, text, (raw, i) =>
                {
                    var code = PythonText.CodePoint(raw, i);
                    return PythonText.IsUpper(code) ? Lower(raw, i) : PythonText.IsLower(code) ? Upper(raw, i) : One(raw, i);
                });
            case "capitalize":
                return PythonText.Map(state, text, (raw, i) => i == 0 ? Title(raw, i) : Lower(raw, i));
            default:
                var inWord = false;
                return PythonText.Map(state, text, (raw, i) =>
                {
                    var mapped = inWord ? Lower(raw, i) : Title(raw, i);
                    inWord = IsCased(PythonText.CodePoint(raw, i));
                    return mapped;
                });
        }
    }

    /// <summary>The questions that a string answers about its characters.</summary>
    public static bool Is(string text, string question) => question switch
    {
        "isalpha" => PythonText.All(text, (raw, i) => PythonText.IsLetter(PythonText.CodePoint(raw, i))),
        "isdecimal" => PythonText.All(text, (raw, i) => PythonText.IsDecimal(PythonText.CodePoint(raw, i))),
        "isdigit" => PythonText.All(text, PythonText.IsDigit),
        "isnumeric" => PythonText.All(text, PythonText.IsNumeric),
        "isalnum" => PythonText.All(text, (raw, i) => PythonText.IsLetter(PythonText.CodePoint(raw, i)) || PythonText.IsNumeric(raw, i)),
        "isspace" => PythonText.All(text, (raw, i) => PythonText.IsSpace(raw[i])),
        "isascii" => Ascii.IsValid(text),
        "isprintable" => text.Length == 0 || PythonText.All(text, (raw, i) => PythonText.IsPrintable(PythonText.CodePoint(raw, i))),
        "isidentifier" => IsIdentifier(text),
        "isupper" => HasCase(text, PythonText.IsUpper, code => PythonText.IsLower(code) || PythonText.IsTitle(code)),
        "islower" => HasCase(text, PythonText.IsLower, code => PythonText.IsUpper(code) || PythonText.IsTitle(code)),
        _ => IsTitle(text),
    };

    public static string Upper(string text, int index) => CaseTable.Upper(PythonText.CodePoint(text, index)) ?? Map(text, index, Rune.ToUpperInvariant);

    /// <param name="text">The text.</param>
    /// <param name="index">UTF-16 index of the character.</param>
    /// <param name="from">Where the text that counts for a final sigma begins.</param>
    public static string Lower(string text, int index, int from = 0)
        => text[index] == 'Σ' ? IsFinalSigma(text, index, from) ? "ς" : "σ" : CaseTable.Lower(PythonText.CodePoint(text, index)) ?? Map(text, index, Rune.ToLowerInvariant);

    private static string Title(string text, int index) => CaseTable.Title(PythonText.CodePoint(text, index)) ?? Upper(text, index);

    private static string Fold(string text, int index)
    {
        var code = PythonText.CodePoint(text, index);
        if (CaseTable.Fold(code) is { } special)
        {
            return special;
        }

        if (code == 0x130)
        {
            return "i\u0307";
        }

        var lower = Map(text, index, Rune.ToLowerInvariant);
        return string.Concat(Upper(lower, 0).EnumerateRunes().Select(rune => Rune.ToLowerInvariant(rune).ToString()));
    }

    private static string One(string text, int index) => PythonText.FromCodePoint(PythonText.CodePoint(text, index));

    private static string Map(string text, int index, Func<Rune, Rune> map) => PythonText.RuneAt(text, index) is { } rune ? map(rune).ToString() : One(text, index);

    private static bool IsCased(int code) => PythonText.IsUpper(code) || PythonText.IsLower(code) || PythonText.IsTitle(code);

    // A sigma after a cased letter and before none, case-ignorable characters aside.
    private static bool IsFinalSigma(string text, int index, int from)
    {
        var before = index - 1;
        while (before >= from && IsCaseIgnorable(text[before]))
        {
            before--;
        }

        var after = index + 1;
        while (after < text.Length && IsCaseIgnorable(text[after]))
        {
            after++;
        }

        return before >= from && IsCased(text[before]) && (after == text.Length || !IsCased(text[after]));
    }

    private static bool IsCaseIgnorable(char c)
        => c is '\'' or '.' or ':' or '^' or '`' or '·' or '\u2018' or '\u2019' or '\u2024' or '\u2027' or '\u00A8' or '\u00AF'
            || char.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;

    private static bool HasCase(string text, Func<int, bool> wanted, Func<int, bool> refused)
    {
        var found = false;
        for (var i = 0; i < text.Length; i++)
        {
            var code = PythonText.CodePoint(text, i);
            i += code > 0xFFFF ? 1 : 0;
            if (refused(code))
            {
                return false;
            }

            found |= wanted(code);
        }

        return found;
    }

    private static bool IsTitle(string text)
    {
        bool found = false, afterCased = false;
        for (var i = 0; i < text.Length; i++)
        {
            var code = PythonText.CodePoint(text, i);
            i += code > 0xFFFF ? 1 : 0;
            if (PythonText.IsUpper(code) || PythonText.IsTitle(code))
            {
                if (afterCased)
                {
                    return false;
                }

                found = afterCased = true;
            }
            else if (PythonText.IsLower(code))
            {
                if (!afterCased)
                {
                    return false;
                }
            }
            else
            {
                afterCased = false;
            }
        }

        return found;
    }

    private static bool IsIdentifier(string text)
        => text.Length > 0 && (text[0] == '_' || char.IsLetter(text[0])) && text.All(c => c == '_' || char.IsLetterOrDigit(c)
            || char.GetUnicodeCategory(c) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.ConnectorPunctuation);
}
