using System.Globalization;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Python's <c>format % values</c>.</summary>
internal static class PercentFormat
{
    public static StringValue Apply(RenderState state, StringValue format, Value arguments)
    {
        var text = format.Text;
        var result = new TextBuilder(state);
        var values = arguments is TupleValue tuple ? tuple.Items : [arguments];
        var mapping = arguments as DictValue;
        var used = 0;
        Value Next() => used < values.Length ? values[used++] : throw state.Raise("not enough arguments for format string");

        for (var i = 0; i < text.Length;)
        {
            if (text[i] != '%')
            {
                var end = text.IndexOf('%', i);
                end = end < 0 ? text.Length : end;
                result.Append(format, i, end - i);
                i = end;
                continue;
            }

            i++;
            Value? keyed = null;
            if (At(text, i) == '(')
            {
                var end = text.IndexOf(')', i);
                if (arguments is UndefinedValue missing)
                {
                    throw state.Use(missing);
                }

                if (end < 0 || mapping is null)
                {
                    throw state.Raise(end < 0 ? "incomplete format key" : "format requires a mapping");
                }

                keyed = mapping.Items.TryGetValue(new StringValue(text[(i + 1)..end], Provenance.Template), out var found) ? found : throw state.Raise("KeyError: no such key for the format");
                i = end + 1;
            }

            var flags = i;
            while (At(text, i) is '#' or '0' or '-' or ' ' or '+')
            {
                i++;
            }

            var flagText = text[flags..i];
            var width = Number(state, text, ref i, Next);
            var leftAligned = flagText.Contains('-', StringComparison.Ordinal) || width < 0;
            long? precision = null;
            if (At(text, i) == '.')
            {
                i++;
                precision = Math.Max(0, Number(state, text, ref i, Next) ?? 0);
            }

            while (At(text, i) is 'h' or 'l' or 'L')
            {
                i++;
            }

            if (i >= text.Length)
            {
                throw state.Raise("incomplete format");
            }

            var letter = text[i];
            if (letter == '%')
            {
                result.Append("%", format.At(i));
                i++;
                continue;
            }

            var value = keyed ?? Next();
            Field(state, result, letter, value, flagText, Math.Abs(width ?? 0), precision, leftAligned, format.IsMarkup);
            i++;
        }

        // Python lets a single argument go unused where it is a container and no tuple.
        if (used < values.Length && arguments is not (DictValue or ListValue or RangeValue or UndefinedValue))
        {
            throw state.Raise("not all arguments converted during string formatting");
        }

        return result.ToValue(format.IsMarkup);
    }

    private static void Field(RenderState state, TextBuilder result, char letter, Value value, string flags, long width, long? precision, bool leftAligned, bool escape)
    {
        state.Step(8);
        var zero = flags.Contains('0', StringComparison.Ordinal) && !leftAligned;
        var alternate = flags.Contains('#', StringComparison.Ordinal);
        StringValue body;
        var sign = 0;
        switch (letter)
        {
            case 's' or 'r' or 'a':
                body = letter == 's' ? Printing.Str(state, value) : Printing.Repr(state, value);
                body = escape ? PythonText.Escape(state, value is StringValue { IsMarkup: true } marked && letter == 's' ? marked : body).WithMarkup(markup: false) : body;
                body = precision < body.CodePoints ? body.Slice(state, 0, body.UnitIndex((int)precision.Value)) : body;
                zero = false;
                break;
            case 'c':
                body = value is StringValue { CodePoints: 1 } one ? one
                    : Numbers.TryInteger(value, out var code, out var owner) && code is >= 0 and <= 0x10FFFF ? new StringValue(PythonText.FromCodePoint((int)code), owner)
                    : throw state.Raise("%c requires int or char");
                zero = false;
                break;
            case 'd' or 'i' or 'u' or 'x' or 'X' or 'o':
                (body, sign) = Integer(state, letter, value, flags, precision, alternate);
                break;
            case 'e' or 'E' or 'f' or 'F' or 'g' or 'G':
                var number = Numbers.IsNumber(value) ? Numbers.ToDouble(value) : throw NotANumber(state, value);
                var prefix = Sign(flags, number < 0 || (number == 0 && double.IsNegative(number)));
                if (precision > PythonFloat.MaxDecimals)
                {
                    throw state.Limit($"precision {precision}; the limit is {PythonFloat.MaxDecimals}");
                }

                var digits = double.IsFinite(number) ? FormatSpec.FormatFloat(state, letter, number, (int)(precision ?? -1), alternate) : double.IsNaN(number) ? "nan" : "inf";
                sign = prefix.Length;
                body = new StringValue(prefix + (char.IsAsciiLetterUpper(letter) ? digits.ToUpperInvariant() : digits), Numbers.ProvenanceOf(value));
                break;
            default:
                throw state.Raise($"unsupported format character U+{(int)letter:X4}");
        }

        var missing = width - body.CodePoints;
        result.Append(body, 0, zero ? sign : 0);
        if (!leftAligned)
        {
            result.AppendRepeated(new StringValue(zero ? "0" : " ", Provenance.Template), missing);
        }

        result.Append(body, zero ? sign : 0, body.Text.Length - (zero ? sign : 0));
        if (leftAligned)
        {
            result.AppendRepeated(new StringValue(" ", Provenance.Template), missing);
        }
    }

    private static (StringValue Body, int Sign) Integer(RenderState state, char letter, Value value, string flags, long? precision, bool alternate)
    {
        long number;
        if (value is FloatValue real && letter is 'd' or 'i' or 'u')
        {
            var whole = Math.Truncate(((FloatValue)value).Value);
            number = Math.Abs(whole) < 9.2e18 ? (long)whole : throw Arithmetic.Overflow(state);
        }
        else if (!Numbers.TryInteger(value, out number, out _))
        {
            throw NotANumber(state, value);
        }

        var magnitude = number < 0 ? (ulong)-(Int128)number : (ulong)number;
        var digits = letter switch
        {
            'x' => magnitude.ToString("x", CultureInfo.InvariantCulture),
            'X' => magnitude.ToString("X", CultureInfo.InvariantCulture),
            'o' => new FormatSpec { Type = 'o', Fill = " ", Precision = -1 }.Apply(state, new IntValue((long)(magnitude & long.MaxValue))).Text,
            _ => magnitude.ToString(CultureInfo.InvariantCulture),
        };
        if (precision > digits.Length)
        {
            state.CheckLength(precision.Value);
            digits = digits.PadLeft((int)precision.Value, '0');
        }

        var sign = Sign(flags, number < 0) + (alternate ? letter switch { 'x' => "0x", 'X' => "0X", 'o' => "0o", _ => "" } : "");
        return (new StringValue(sign + digits, Numbers.ProvenanceOf(value)), sign.Length);
    }

    private static string Sign(string flags, bool negative)
        => negative ? "-" : flags.Contains('+', StringComparison.Ordinal) ? "+" : flags.Contains(' ', StringComparison.Ordinal) ? " " : "";

    private static ChatTemplateException NotANumber(RenderState state, Value value)
        => value is UndefinedValue missing ? state.Use(missing) : state.Raise($"format: a number is required, not {value.TypeName}");

    private static long? Number(RenderState state, string text, ref int at, Func<Value> next)
    {
        if (At(text, at) == '*')
        {
            at++;
            var given = Numbers.Integer(state, next());
            return Int128.Abs(given) <= Budget.Chars ? given : throw state.Limit($"width or precision in a format; the limit is {Budget.Chars}");
        }

        var start = at;
        while (char.IsAsciiDigit(At(text, at)))
        {
            at++;
        }

        if (at == start)
        {
            return null;
        }

        return at - start < 10 && long.Parse(text.AsSpan(start, at - start), NumberStyles.None, CultureInfo.InvariantCulture) is var number && number <= Budget.Chars
            ? number
            : throw state.Limit($"width or precision in a format; the limit is {Budget.Chars}");
    }

    private static char At(string text, int index) => index < text.Length ? text[index] : '\0';
}
