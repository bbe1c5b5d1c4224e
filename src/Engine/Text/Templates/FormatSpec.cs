using System.Globalization;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Python's format mini-language, <c>[[fill]align][sign][#][0][width][,][.precision][type]</c>, for strings and numbers.</summary>
internal readonly record struct FormatSpec
{
    public string Fill { get; init; }
    public char Align { get; init; }
    public char Sign { get; init; }
    public bool Alternate { get; init; }
    public long Width { get; init; }
    public char Grouping { get; init; }
    public int Precision { get; init; }
    public char Type { get; init; }

    public static FormatSpec Parse(RenderState state, string spec)
    {
        var at = 0;
        var fill = (string?)null;
        var align = '\0';
        var first = spec.Length > 0 && char.IsHighSurrogate(spec[0]) && spec.Length > 1 ? 2 : 1;
        if (spec.Length > first && IsAlign(spec[first]))
        {
            fill = spec[..first];
            align = spec[first];
            at = first + 1;
        }
        else if (spec.Length > 0 && IsAlign(spec[0]))
        {
            align = spec[0];
            at = 1;
        }

        var sign = Take(spec, ref at, "+- ");
        var alternate = Take(spec, ref at, "#") != '\0';
        if (at < spec.Length && spec[at] == '0')
        {
            at++;
            fill ??= "0";
            align = align == '\0' ? '=' : align;
        }

        var width = Digits(state, spec, ref at) ?? 0;
        var grouping = Take(spec, ref at, ",_");
        var precision = -1;
        if (Take(spec, ref at, ".") != '\0')
        {
            var digits = Digits(state, spec, ref at) ?? throw state.Raise("Format specifier missing precision");
            precision = digits > PythonFloat.MaxDecimals && at < spec.Length && spec[at] != 's' ? throw state.Limit($"precision {digits}; the limit is {PythonFloat.MaxDecimals}") : (int)Math.Min(digits, int.MaxValue);
        }

        var type = at < spec.Length ? spec[at++] : '\0';
        if (at != spec.Length)
        {
            throw state.Raise("Invalid format specifier");
        }

        return new FormatSpec { Fill = fill ?? " ", Align = align, Sign = sign, Alternate = alternate, Width = width, Grouping = grouping, Precision = precision, Type = type };
    }

    public StringValue Apply(RenderState state, Value value)
    {
        // Exact digits of a number are some work.
        state.Step(8);
        return Format(state, value);
    }

    private StringValue Format(RenderState state, Value value) => value switch
    {
        StringValue text => ApplyText(state, text),
        FloatValue number => Pad(state, FloatBody(state, number.Value), number.Provenance),
        IntValue or BoolValue or BigIntValue when Type is 'e' or 'E' or 'f' or 'F' or 'g' or 'G' or '%' => Pad(state, FloatBody(state, Numbers.ToDouble(value)), Numbers.ProvenanceOf(value)),
        IntValue or BoolValue when Numbers.TryInteger(value, out var number, out var provenance) => Pad(state, IntegerBody(state, number), provenance),
        _ => throw state.Raise($"unsupported format string passed to {value.TypeName}.__format__"),
    };

    private StringValue ApplyText(RenderState state, StringValue text)
    {
        if (Type is not ('\0' or 's'))
        {
            throw state.Raise($"Unknown format code '{Type}' for object of type 'str'");
        }

        if (Align == '=' || Sign != '\0' || Grouping != '\0' || Alternate)
        {
            throw state.Raise("this format specifier is not allowed for strings");
        }

        var body = Precision >= 0 && Precision < text.CodePoints ? text.Slice(state, 0, text.UnitIndex(Precision)) : text;
        return Pad(state, body, Align == '\0' ? '<' : Align, sign: 0);
    }

    private StringValue Pad(RenderState state, (string Sign, string Body) number, Provenance provenance)
        => Pad(state, new StringValue(number.Sign + number.Body, provenance), Align == '\0' ? '>' : Align, number.Sign.Length);

    private StringValue Pad(RenderState state, StringValue body, char align, int sign)
    {
        var missing = Width - body.CodePoints;
        if (missing <= 0)
        {
            return body;
        }

        var fill = new StringValue(Fill, Provenance.Template);
        var left = align switch { '<' => 0, '^' => missing / 2, _ => missing };
        var result = new TextBuilder(state);
        if (align == '=')
        {
            result.Append(body, 0, sign);
            result.AppendRepeated(fill, missing);
            result.Append(body, sign, body.Text.Length - sign);
        }
        else
        {
            result.AppendRepeated(fill, left);
            result.Append(body);
            result.AppendRepeated(fill, missing - left);
        }

        return result.ToValue();
    }

    private (string Sign, string Body) IntegerBody(RenderState state, long value)
    {
        if (Precision >= 0)
        {
            throw state.Raise("Precision not allowed in integer format specifier");
        }

        var magnitude = value < 0 ? (ulong)-(Int128)value : (ulong)value;
        var prefix = "";
        string digits;
        switch (Type)
        {
            case '\0' or 'd' or 'n':
                digits = magnitude.ToString(CultureInfo.InvariantCulture);
                break;
            case 'x' or 'X':
                digits = magnitude.ToString(Type == 'x' ? "x" : "X", CultureInfo.InvariantCulture);
                prefix = Type == 'x' ? "0x" : "0X";
                break;
            case 'o' or 'b':
                digits = ToBase(magnitude, Type == 'o' ? 8u : 2u);
                prefix = Type == 'o' ? "0o" : "0b";
                break;
            case 'c' when value is >= 0 and <= 0x10FFFF:
                return ("", PythonText.FromCodePoint((int)value));
            default:
                throw state.Raise($"Unknown format code '{Type}' for object of type 'int'");
        }

        return (SignOf(value < 0) + (Alternate ? prefix : ""), Group(digits, Type is 'x' or 'X' or 'o' or 'b' ? 4 : 3));
    }

    private (string Sign, string Body) FloatBody(RenderState state, double value)
    {
        var sign = SignOf(value < 0 || (value == 0 && double.IsNegative(value)));
        if (!double.IsFinite(value))
        {
            var word = double.IsNaN(value) ? "nan" : "inf";
            return (sign, (Type is 'E' or 'F' or 'G' ? word.ToUpperInvariant() : word) + (Type == '%' ? "%" : ""));
        }

        var body = FormatFloat(state, Type, value, Precision, Alternate);
        var end = 0;
        while (end < body.Length && char.IsAsciiDigit(body[end]))
        {
            end++;
        }

        return (sign, Group(body[..end], 3) + body[end..]);
    }

    /// <summary>Digits of a finite number for the type letters e, f, g, % and none; the sign is not among them.</summary>
    public static string FormatFloat(RenderState state, char type, double value, int precision, bool alternate)
    {
        var decimals = precision < 0 ? 6 : precision;
        switch (type)
        {
            case 'f' or 'F':
                return PythonFloat.Fixed(value, decimals) + (alternate && decimals == 0 ? "." : "");
            case '%':
                return PythonFloat.Fixed(value * 100, decimals) + "%";
            case 'e' or 'E':
                var (digits, exponent) = PythonFloat.Significant(value, decimals + 1);
                var mark = type == 'e' ? 'e' : 'E';
                return $"{digits[0]}{(digits.Length > 1 ? "." + digits[1..] : alternate ? "." : "")}{mark}{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
            case 'g' or 'G' or 'n':
                return General(value, precision < 0 ? 6 : Math.Max(1, precision), type == 'G', alternate, keepPoint: false);
            case '\0':
                return precision < 0 ? PythonFloat.Repr(Math.Abs(value)) : General(value, Math.Max(1, precision), upper: false, alternate, keepPoint: true);
            default:
                throw state.Raise($"Unknown format code '{type}' for object of type 'float'");
        }
    }

    private static string General(double value, int precision, bool upper, bool alternate, bool keepPoint)
    {
        var (digits, exponent) = PythonFloat.Significant(value, precision);
        var scientific = exponent < -4 || exponent >= (keepPoint ? precision - 1 : precision);
        var kept = alternate ? digits : digits.TrimEnd('0');
        kept = kept.Length == 0 ? "0" : kept;
        if (scientific)
        {
            return $"{kept[0]}{(kept.Length > 1 ? "." + kept[1..] : "")}{(upper ? 'E' : 'e')}{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";
        }

        if (exponent < 0)
        {
            return "0." + new string('0', -exponent - 1) + kept;
        }

        var whole = kept.Length <= exponent + 1 ? kept.PadRight(exponent + 1, '0') : kept[..(exponent + 1)];
        var fraction = kept.Length > exponent + 1 ? kept[(exponent + 1)..] : "";
        return fraction.Length > 0 ? $"{whole}.{fraction}" : whole + (keepPoint ? ".0" : alternate ? "." : "");
    }

    private string SignOf(bool negative) => negative ? "-" : Sign is '+' or ' ' ? Sign.ToString() : "";

    private string Group(string digits, int size)
    {
        if (Grouping == '\0')
        {
            return digits;
        }

        // Zeros that fill the width are grouped too.
        if (Fill == "0" && Align == '=')
        {
            while (digits.Length + ((digits.Length - 1) / size) < Math.Min(Width, 1000))
            {
                digits = "0" + digits;
            }
        }

        var grouped = new System.Text.StringBuilder();
        for (var i = 0; i < digits.Length; i++)
        {
            if (i > 0 && (digits.Length - i) % size == 0)
            {
                grouped.Append(Grouping);
            }

            grouped.Append(digits[i]);
        }

        return grouped.ToString();
    }

    private static string ToBase(ulong value, uint radix)
    {
        var digits = new Stack<char>();
        do
        {
            digits.Push((char)('0' + (value % radix)));
            value /= radix;
        }
        while (value > 0);
        return new string([.. digits]);
    }

    private static bool IsAlign(char c) => c is '<' or '>' or '=' or '^';

    private static char Take(string spec, ref int at, string wanted) => at < spec.Length && wanted.Contains(spec[at], StringComparison.Ordinal) ? spec[at++] : '\0';

    private static long? Digits(RenderState state, string spec, ref int at)
    {
        var start = at;
        while (at < spec.Length && char.IsAsciiDigit(spec[at]))
        {
            at++;
        }

        if (at == start)
        {
            return null;
        }

        return at - start < 10 && long.Parse(spec.AsSpan(start, at - start), NumberStyles.None, CultureInfo.InvariantCulture) is var number && number <= Budget.Chars
            ? number
            : throw state.Limit($"width or precision in a format; the limit is {Budget.Chars}");
    }
}
