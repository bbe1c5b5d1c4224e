using System.Globalization;
using System.Numerics;

namespace KvPrefetch.Engine.Text.Templates;

internal static class NumberFilters
{
    public static Value Abs(RenderState state, Value value, Arguments arguments)
    {
        arguments.Plain(state, "abs", 0, 0);
        return value switch
        {
            FloatValue number => new FloatValue(Math.Abs(number.Value), number.Provenance),
            IntValue or BoolValue when Numbers.TryInteger(value, out var number, out var provenance)
                => number == long.MinValue ? throw Arithmetic.Overflow(state) : new IntValue(Math.Abs(number), provenance),
            UndefinedValue missing => throw state.Raise("bad operand type for abs(): " + missing.Message),
            _ => throw state.Raise($"bad operand type for abs(): '{value.TypeName}'"),
        };
    }

    public static Value Int(RenderState state, Value value, Arguments arguments)
    {
        var bound = arguments.Bind(state, "int", 0, "default", "base");
        var otherwise = bound[0] ?? IntValue.Of(0);
        var radix = bound[1] is { } given ? Numbers.Integer(state, given) : 10;
        if (value is UndefinedValue missing)
        {
            throw state.Use(missing);
        }

        if (value is IntValue or BoolValue or BigIntValue)
        {
            return value is BoolValue flag ? IntValue.Of(flag.Value ? 1 : 0) : value;
        }

        var provenance = Numbers.ProvenanceOf(value);
        double number;
        if (value is StringValue text)
        {
            state.Scan(text);
            if (TryParse(state, text.Text, radix, out var parsed))
            {
                return new IntValue(parsed, provenance);
            }

            if (!PythonFloat.TryParse(text.Text, out number))
            {
                return otherwise;
            }
        }
        else if (value is FloatValue real)
        {
            number = real.Value;
        }
        else
        {
            return otherwise;
        }

        if (!double.IsFinite(number))
        {
            return otherwise;
        }

        number = Math.Truncate(number);
        return Math.Abs(number) < 9.2e18 ? new IntValue((long)number, provenance) : throw Arithmetic.Overflow(state);
    }

    public static Value Float(RenderState state, Value value, Arguments arguments)
    {
        var otherwise = arguments.Bind(state, "float", 0, "default")[0] ?? new FloatValue(0);
        if (value is StringValue given)
        {
            state.Scan(given);
        }

        return value switch
        {
            UndefinedValue missing => throw state.Use(missing),
            StringValue text => PythonFloat.TryParse(text.Text, out var number) ? new FloatValue(number, text.Strongest) : otherwise,
            _ when Numbers.IsNumber(value) => new FloatValue(Numbers.ToDouble(value), Numbers.ProvenanceOf(value)),
            _ => otherwise,
        };
    }

    public static Value Round(RenderState state, Value value, Arguments arguments)
    {
        var bound = arguments.Bind(state, "round", 0, "precision", "method");
        var precision = bound[0] is { } given ? Numbers.Integer(state, given) : 0;
        var method = bound[1] is null ? "common" : (bound[1] as StringValue)?.Text;
        if (method is not ("common" or "ceil" or "floor"))
        {
            throw state.Raise("method must be common, ceil or floor");
        }

        if (value is UndefinedValue missing)
        {
            throw state.Raise("type Undefined doesn't define __round__ method: " + missing.Message);
        }

        if (!Numbers.IsNumber(value))
        {
            throw state.Raise($"type {value.TypeName} doesn't define __round__ method");
        }

        var provenance = Numbers.ProvenanceOf(value);
        if (method == "common")
        {
            if (value is FloatValue number)
            {
                state.Step(8);
                return new FloatValue(PythonFloat.Round(number.Value, precision), provenance);
            }

            return precision >= 0 ? (value is BoolValue flag ? IntValue.Of(flag.Value ? 1 : 0) : value) : RoundInteger(state, value, -precision);
        }

        if (Math.Abs(precision) > 308)
        {
            throw state.Raise("round: precision out of range");
        }

        var scale = Math.Pow(10, precision);
        var scaled = Numbers.ToDouble(value) * scale;
        if (!double.IsFinite(scaled))
        {
            throw state.Raise("cannot convert float infinity to integer");
        }

        return new FloatValue((method == "ceil" ? Math.Ceiling(scaled) : Math.Floor(scaled)) / scale, provenance);
    }

    public static Value Sum(RenderState state, Value value, Arguments arguments)
    {
        var bound = arguments.Bind(state, "sum", 0, "attribute", "start");
        var path = bound[0] is null or NoneValue ? null : AttributePath.Parse(state, bound[0]!);
        var sum = bound[1] ?? IntValue.Of(0);
        if (sum is StringValue)
        {
            throw state.Raise("sum() can't sum strings [use ''.join(seq) instead]");
        }

        var walk = Sequences.Iterate(state, value);
        while (walk.MoveNext())
        {
            state.Step();
            sum = Arithmetic.Apply(state, "+", sum, path is null ? walk.Current : path.Get(state, walk.Current));
        }

        return sum;
    }

    public static Value FileSize(RenderState state, Value value, Arguments arguments)
    {
        var binary = arguments.Bind(state, "filesizeformat", 0, "binary")[0] is { } flag && Truth.Of(state, flag);
        var number = value is StringValue text && PythonFloat.TryParse(text.Text, out var parsed) ? parsed
            : Numbers.IsNumber(value) ? Numbers.ToDouble(value)
            : throw state.Raise("filesizeformat: a number is required");
        double unit = binary ? 1024 : 1000;
        string size;
        if (number == 1)
        {
            size = "1 Byte";
        }
        else if (number < unit || !double.IsFinite(number))
        {
            size = double.IsFinite(number) ? $"{Math.Truncate(number).ToString("F0", CultureInfo.InvariantCulture)} Bytes" : throw state.Raise("cannot convert float to integer");
        }
        else
        {
            var names = binary ? (ReadOnlySpan<string>)["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"] : ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
            var scale = unit;
            var i = 0;
            while (i < names.Length - 1 && number >= scale * unit)
            {
                scale *= unit;
                i++;
            }

            size = $"{PythonFloat.Fixed(unit * number / (scale * unit), 1)} {names[i]}";
        }

        return new StringValue(size, Numbers.ProvenanceOf(value));
    }

    private static IntValue RoundInteger(RenderState state, Value value, long digits)
    {
        if (!Numbers.TryInteger(value, out var number, out var provenance))
        {
            throw Arithmetic.Overflow(state);
        }

        if (digits > 20)
        {
            return new IntValue(0, provenance);
        }

        var unit = BigInteger.Pow(10, (int)digits);
        var quotient = BigInteger.DivRem(BigInteger.Abs(number), unit, out var rest);
        var half = (rest * 2).CompareTo(unit);
        quotient += half > 0 || (half == 0 && !quotient.IsEven) ? 1 : 0;
        var result = quotient * unit * (number < 0 ? -1 : 1);
        return result >= long.MinValue && result <= long.MaxValue ? new IntValue((long)result, provenance) : throw Arithmetic.Overflow(state);
    }

    // Python's int(text, base): blanks around, a sign, a prefix, underscores between digits.
    private static bool TryParse(RenderState state, string text, long radix, out long number)
    {
        number = 0;
        var body = text.AsSpan();
        while (body.Length > 0 && PythonText.IsSpace(body[0]))
        {
            body = body[1..];
        }

        while (body.Length > 0 && PythonText.IsSpace(body[^1]))
        {
            body = body[..^1];
        }

        var negative = body.Length > 0 && body[0] == '-';
        if (body.Length > 0 && body[0] is '-' or '+')
        {
            body = body[1..];
        }

        if (radix is not (0 or (>= 2 and <= 36)))
        {
            return false;
        }

        var prefix = body.Length > 1 && body[0] == '0' ? char.ToLowerInvariant(body[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 } : 0;
        if (prefix != 0 && (radix == prefix || radix == 0))
        {
            body = body[2..];
            body = body.Length > 0 && body[0] == '_' ? body[1..] : body;
            radix = prefix;
        }
        else if (radix == 0)
        {
            radix = 10;
        }

        Int128 result = 0;
        var afterDigit = false;
        foreach (var c in body)
        {
            if (c == '_' && afterDigit)
            {
                afterDigit = false;
                continue;
            }

            var digit = char.IsAsciiDigit(c) ? c - '0' : char.IsAsciiLetter(c) ? char.ToLowerInvariant(c) - 'a' + 10
                : CharUnicodeInfo.GetDecimalDigitValue(c) is >= 0 and var other ? other : int.MaxValue;
            if (digit >= radix)
            {
                return false;
            }

            result = (result * radix) + digit;
            if (result > (Int128)long.MaxValue + 1)
            {
                throw Arithmetic.Overflow(state);
            }

            afterDigit = true;
        }

        if (!afterDigit || result > long.MaxValue)
        {
            return afterDigit && negative && (number = long.MinValue) < 0;
        }

        number = negative ? -(long)result : (long)result;
        return true;
    }
}
