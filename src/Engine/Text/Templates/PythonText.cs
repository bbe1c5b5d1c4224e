using System.Globalization;
using System.Text;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Python's view of characters, where it differs from .NET's, and in no culture but the invariant one.</summary>
internal static class PythonText
{
    /// <summary>What <c>str.isspace</c>, <c>strip()</c>, <c>split()</c> and \s take for white space.</summary>
    public static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\u001c' and <= '\u001f';

    /// <summary>What <c>splitlines</c> cuts at.</summary>
    public static bool IsLineBreak(char c) => c is '\n' or '\r' or '\v' or '\f' or '\u001c' or '\u001d' or '\u001e' or '\u0085' or '\u2028' or '\u2029';

    /// <summary>What <c>repr</c> shows as it is; everything else is escaped.</summary>
    public static bool IsPrintable(int codePoint)
        => codePoint == ' ' || Category(codePoint) is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
            or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);

    public static UnicodeCategory Category(int codePoint) => CharUnicodeInfo.GetUnicodeCategory(codePoint);

    public static bool IsLetter(int codePoint)
        => Category(codePoint) is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter;

    public static bool IsUpper(int codePoint) => Category(codePoint) == UnicodeCategory.UppercaseLetter || codePoint is (>= 0x2160 and <= 0x216F) or (>= 0x24B6 and <= 0x24CF);

    public static bool IsLower(int codePoint)
        => Category(codePoint) == UnicodeCategory.LowercaseLetter || codePoint is 0xAA or 0xBA or (>= 0x2170 and <= 0x217F) or (>= 0x24D0 and <= 0x24E9);

    public static bool IsTitle(int codePoint) => Category(codePoint) == UnicodeCategory.TitlecaseLetter;

    public static bool IsDecimal(int codePoint) => Category(codePoint) == UnicodeCategory.DecimalDigitNumber;

    public static bool IsDigit(string text, int index) => CharUnicodeInfo.GetDigitValue(text, index) >= 0;

    public static bool IsNumeric(string text, int index) => CharUnicodeInfo.GetNumericValue(text, index) >= 0
        || Category(CodePoint(text, index)) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    /// <summary>The code point at a UTF-16 index; a lone surrogate stands for itself.</summary>
    public static int CodePoint(string text, int index)
        => char.IsHighSurrogate(text[index]) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1]) ? char.ConvertToUtf32(text[index], text[index + 1]) : text[index];

    public static string FromCodePoint(int codePoint) => codePoint is >= 0xD800 and <= 0xDFFF ? ((char)codePoint).ToString() : char.ConvertFromUtf32(codePoint);

    /// <summary>Order of strings by code point, which UTF-16's order is not.</summary>
    public static int Compare(string left, string right)
    {
        var length = Math.Min(left.Length, right.Length);
        for (var i = 0; i < length; i++)
        {
            char a = left[i], b = right[i];
            if (a != b)
            {
                return char.IsSurrogate(a) == char.IsSurrogate(b) ? a.CompareTo(b) : char.IsSurrogate(a) ? 1 : -1;
            }
        }

        return left.Length.CompareTo(right.Length);
    }

    /// <summary>HTML escaping as MarkupSafe does it.</summary>
    public static StringValue Escape(RenderState state, StringValue text)
    {
        if (text.IsMarkup)
        {
            return text;
        }

        var result = new TextBuilder(state);
        for (var i = 0; i < text.Text.Length; i++)
        {
            var escaped = text.Text[i] switch { '&' => "&amp;", '<' => "&lt;", '>' => "&gt;", '"' => "&#34;", '\'' => "&#39;", _ => null };
            if (escaped is null)
            {
                result.Append(text.Text[i], text.At(i));
            }
            else
            {
                result.Append(escaped, text.At(i));
            }
        }

        return result.ToValue(markup: true);
    }

    /// <summary>Replaces every code point; the result belongs to who wrote the original.</summary>
    public static StringValue Map(RenderState state, StringValue text, Func<string, int, string> map)
    {
        var result = new TextBuilder(state);
        for (var i = 0; i < text.Text.Length; i += text.UnitLength(i))
        {
            result.Append(map(text.Text, i), text.At(i));
        }

        return result.ToValue(text.IsMarkup);
    }

    /// <summary>All runes of a text that satisfy a question, and there is at least one.</summary>
    public static bool All(string text, Func<string, int, bool> question)
    {
        for (var i = 0; i < text.Length; i += char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]) ? 2 : 1)
        {
            if (!question(text, i))
            {
                return false;
            }
        }

        return text.Length > 0;
    }

    public static Rune? RuneAt(string text, int index) => Rune.TryGetRuneAt(text, index, out var rune) ? rune : null;
}
