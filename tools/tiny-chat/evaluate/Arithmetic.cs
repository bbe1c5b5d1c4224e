using System.Globalization;

namespace KvPrefetch.Tools.Evaluate;

/// <summary>Numbers, + - * / and parentheses, as a calculator reads them.</summary>
internal static class Arithmetic
{
    private const int MaxDepth = 16;

    /// <summary>False where the text is no such expression.</summary>
    public static bool TryEvaluate(string text, out double value)
    {
        var at = 0;
        text = text.Replace(" ", "", StringComparison.Ordinal).Replace('×', '*').Replace('÷', '/').Replace('−', '-').Replace("x", "*", StringComparison.Ordinal);
        return Sum(text, ref at, 0, out value) && at == text.Length;
    }

    private static bool Sum(string text, ref int at, int depth, out double value)
    {
        if (!Product(text, ref at, depth, out value))
        {
            return false;
        }

        while (at < text.Length && text[at] is ('+' or '-'))
        {
            var sign = text[at++] == '+' ? 1 : -1;
            if (!Product(text, ref at, depth, out var next))
            {
                return false;
            }

            value += sign * next;
        }

        return true;
    }

    private static bool Product(string text, ref int at, int depth, out double value)
    {
        if (!Factor(text, ref at, depth, out value))
        {
            return false;
        }

        while (at < text.Length && text[at] is ('*' or '/'))
        {
            var divides = text[at++] == '/';
            if (!Factor(text, ref at, depth, out var next))
            {
                return false;
            }

            value = divides ? value / next : value * next;
        }

        return true;
    }

    private static bool Factor(string text, ref int at, int depth, out double value)
    {
        if (at < text.Length && text[at] == '(')
        {
            at++;
            value = 0;
            return depth < MaxDepth && Sum(text, ref at, depth + 1, out value) && at < text.Length && text[at++] == ')';
        }

        var start = at;
        at += at < text.Length && text[at] == '-' ? 1 : 0;
        while (at < text.Length && (char.IsAsciiDigit(text[at]) || text[at] == '.'))
        {
            at++;
        }

        return double.TryParse(text.AsSpan(start, at - start), NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value);
    }
}
