using System.Globalization;
using System.Numerics;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Floats as Python writes, reads and rounds them.</summary>
internal static class PythonFloat
{
    /// <summary>Most digits after the point that anything here will produce.</summary>
    public const int MaxDecimals = 1100;

    /// <summary>The shortest digits that read back as the same number; an exponent below 1e-4 and from 1e16.</summary>
    public static string Repr(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }

        var (negative, digits, exponent) = Shortest(value);
        var text = exponent is >= -4 and < 16 ? Plain(digits, exponent) : Scientific(digits, exponent);
        return negative ? "-" + text : text;
    }

    /// <summary>Shortest round-trip digits d1d2d3... of value = d1.d2d3... * 10^exponent.</summary>
    public static (bool Negative, string Digits, int Exponent) Shortest(double value)
    {
        var shortest = value.ToString("R", CultureInfo.InvariantCulture);
        var negative = shortest[0] == '-';
        var body = negative ? shortest[1..] : shortest;
        var mark = body.IndexOf('E', StringComparison.Ordinal);
        var exponent = mark < 0 ? 0 : int.Parse(body.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        body = mark < 0 ? body : body[..mark];
        var point = body.IndexOf('.', StringComparison.Ordinal);
        exponent += (point < 0 ? body.Length : point) - 1;
        var all = body.Replace(".", "", StringComparison.Ordinal);
        var digits = all.TrimStart('0');
        exponent -= digits.Length == 0 ? exponent : all.Length - digits.Length;
        digits = digits.TrimEnd('0');
        return (negative, digits.Length == 0 ? "0" : digits, exponent);
    }

    /// <summary>|value| with exactly <paramref name="decimals"/> digits after the point, ties to even on the exact value.</summary>
    public static string Fixed(double value, int decimals)
    {
        var digits = Scaled(Math.Abs(value), decimals).ToString(CultureInfo.InvariantCulture);
        if (decimals <= 0)
        {
            return digits;
        }

        digits = digits.PadLeft(decimals + 1, '0');
        return $"{digits[..^decimals]}.{digits[^decimals..]}";
    }

    /// <summary>|value| as <paramref name="count"/> significant digits and the exponent of the first.</summary>
    public static (string Digits, int Exponent) Significant(double value, int count)
    {
        value = Math.Abs(value);
        if (value == 0)
        {
            return (new string('0', count), 0);
        }

        var exponent = Shortest(value).Exponent;
        var digits = Scaled(value, count - 1 - exponent).ToString(CultureInfo.InvariantCulture);
        if (digits.Length > count)
        {
            exponent++;
            digits = Scaled(value, count - 1 - exponent).ToString(CultureInfo.InvariantCulture);
        }

        return (digits.PadLeft(count, '0'), exponent);
    }

    /// <summary>Python's <c>round(value, decimals)</c>.</summary>
    public static double Round(double value, long decimals)
    {
        if (!double.IsFinite(value) || value == 0 || decimals > 330)
        {
            return value;
        }

        if (decimals < -310)
        {
            return Math.CopySign(0, value);
        }

        var scaled = Scaled(Math.Abs(value), (int)decimals).ToString(CultureInfo.InvariantCulture);
        return Math.CopySign(double.Parse(string.Create(CultureInfo.InvariantCulture, $"{scaled}E{-decimals}"), NumberStyles.Float, CultureInfo.InvariantCulture), value);
    }

    /// <summary>What <c>float(text)</c> accepts: blanks around, underscores between digits, inf and nan.</summary>
    public static bool TryParse(string text, out double value)
    {
        value = 0;
        var start = 0;
        var end = text.Length;
        while (start < end && PythonText.IsSpace(text[start]))
        {
            start++;
        }

        while (end > start && PythonText.IsSpace(text[end - 1]))
        {
            end--;
        }

        var body = text[start..end];
        var unsigned = body.TrimStart('+', '-');
        if (body.Length - unsigned.Length > 1 || unsigned.Length == 0)
        {
            return false;
        }

        switch (unsigned.ToLowerInvariant())
        {
            case "inf" or "infinity":
                value = body[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
                return true;
            case "nan":
                value = double.NaN;
                return true;
        }

        for (var i = 0; i < body.Length; i++)
        {
            if (body[i] == '_' && (i == 0 || i + 1 == body.Length || !char.IsAsciiDigit(body[i - 1]) || !char.IsAsciiDigit(body[i + 1])))
            {
                return false;
            }

            if (!char.IsAsciiDigit(body[i]) && body[i] is not ('_' or '.' or 'e' or 'E' or '+' or '-'))
            {
                return false;
            }
        }

        return double.TryParse(body.Replace("_", "", StringComparison.Ordinal), NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }

    // value * 10^decimals as an integer, exact ties to even.
    private static BigInteger Scaled(double value, int decimals)
    {
        var bits = BitConverter.DoubleToInt64Bits(value);
        var exponent = (int)((bits >> 52) & 0x7FF);
        var mantissa = bits & 0xFFFFFFFFFFFFF;
        if (exponent == 0)
        {
            exponent++;
        }
        else
        {
            mantissa |= 1L << 52;
        }

        exponent -= 1075;
        BigInteger numerator = mantissa;
        BigInteger denominator = BigInteger.One;
        if (exponent > 0)
        {
            numerator <<= exponent;
        }
        else
        {
            denominator <<= -exponent;
        }

        if (decimals > 0)
        {
            numerator *= BigInteger.Pow(10, decimals);
        }
        else
        {
            denominator *= BigInteger.Pow(10, -decimals);
        }

        var quotient = BigInteger.DivRem(numerator, denominator, out var rest);
        var half = (rest << 1).CompareTo(denominator);
        return half > 0 || (half == 0 && !quotient.IsEven) ? quotient + 1 : quotient;
    }

    private static string Plain(string digits, int exponent)
    {
        if (exponent < 0)
        {
            return "0." + new string('0', -exponent - 1) + digits;
        }

        return digits.Length <= exponent + 1 ? digits.PadRight(exponent + 1, '0') + ".0" : $"{digits[..(exponent + 1)]}.{digits[(exponent + 1)..]}";
    }

    private static string Scientific(string digits, int exponent)
    {
        var fraction = digits.Length > 1 ? "." + digits[1..] : "";
        return $"{digits[0]}{fraction}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
    }
}
