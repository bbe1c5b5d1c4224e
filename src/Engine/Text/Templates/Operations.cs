using System.Numerics;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>What counts as true.</summary>
internal static class Truth
{
    public static bool Of(RenderState state, Value value) => value switch
    {
        BoolValue flag => flag.Value,
        NoneValue or UndefinedValue => false,
        StringValue text => text.Text.Length > 0,
        IntValue number => number.Value != 0,
        BigIntValue number => !number.Value.IsZero,
        FloatValue number => number.Value != 0,
        LoopValue loop => loop.Length > 0,
        _ => Sequences.TryLength(value) is not 0,
    };
}

/// <summary>Equality, order and membership.</summary>
internal static class Comparison
{
    public static bool Holds(RenderState state, string sign, Value left, Value right) => sign switch
    {
        "==" => Equal(state, left, right),
        "!=" => !Equal(state, left, right),
        "in" => Contains(state, right, left),
        "not in" => !Contains(state, right, left),
        "<" => Ordered(state, sign, left, right, order => order < 0),
        "<=" => Ordered(state, sign, left, right, order => order <= 0),
        ">" => Ordered(state, sign, left, right, order => order > 0),
        _ => Ordered(state, sign, left, right, order => order >= 0),
    };

    public static bool Equal(RenderState state, Value left, Value right)
    {
        switch (left, right)
        {
            case (ListValue a, ListValue b):
                return EqualItems(state, a.Items, b.Items);
            case (TupleValue a, TupleValue b):
                return EqualItems(state, a.Items, b.Items);
            case (DictValue a, DictValue b):
                return EqualDicts(state, a, b);
            case (StringValue a, StringValue b):
                state.Skim(Math.Min(a.Text.Length, b.Text.Length));
                return KeysEqual(left, right);
            default:
                return KeysEqual(left, right);
        }
    }

    /// <summary>Equality of hashable values; everything else is equal to itself only.</summary>
    public static bool KeysEqual(Value left, Value right)
    {
        if (ReferenceEquals(left, right))
        {
            return left is not FloatValue number || !double.IsNaN(number.Value);
        }

        return (left, right) switch
        {
            (StringValue a, StringValue b) => a.Text == b.Text,
            (TupleValue a, TupleValue b) => a.Items.Length == b.Items.Length && a.Items.Zip(b.Items).All(pair => KeysEqual(pair.First, pair.Second)),
            (UndefinedValue, UndefinedValue) or (NoneValue, NoneValue) => true,
            (RangeValue a, RangeValue b) => a.Count == b.Count && (a.Count == 0 || (a.Start == b.Start && (a.Count == 1 || a.Step == b.Step))),
            (BoolValue or IntValue or BigIntValue or FloatValue, BoolValue or IntValue or BigIntValue or FloatValue) => CompareNumbers(left, right) == 0,
            _ => false,
        };
    }

    /// <summary>The value, if Python can hash it.</summary>
    public static Value Hashable(RenderState state, Value value, int depth = 0)
    {
        if (depth > Budget.ValueDepth)
        {
            throw state.Limit($"nesting of values; the limit is {Budget.ValueDepth}");
        }

        if (value is ListValue or DictValue or SliceValue)
        {
            throw state.Raise($"unhashable type: '{value.TypeName}'");
        }

        if (value is StringValue text)
        {
            state.Skim(text.Text.Length);
        }

        if (value is TupleValue tuple)
        {
            state.Step(tuple.Items.Length);
            foreach (var item in tuple.Items)
            {
                Hashable(state, item, depth + 1);
            }
        }

        return value;
    }

    /// <summary>Order of two values, null where NaN is one of them.</summary>
    public static int? Compare(RenderState state, string sign, Value left, Value right)
    {
        if (left is UndefinedValue missing || (missing = (right as UndefinedValue)!) is not null)
        {
            throw state.Use(missing);
        }

        switch (left, right)
        {
            case (StringValue a, StringValue b):
                state.Skim(Math.Min(a.Text.Length, b.Text.Length));
                return PythonText.Compare(a.Text, b.Text);
            case (BoolValue or IntValue or BigIntValue or FloatValue, BoolValue or IntValue or BigIntValue or FloatValue):
                return CompareNumbers(left, right);
            case (ListValue a, ListValue b):
                return CompareItems(state, sign, a.Items, b.Items);
            case (TupleValue a, TupleValue b):
                return CompareItems(state, sign, a.Items, b.Items);
            default:
                throw state.Raise($"'{sign}' not supported between instances of '{left.TypeName}' and '{right.TypeName}'");
        }
    }

    public static bool Contains(RenderState state, Value container, Value item)
    {
        switch (container)
        {
            case StringValue text:
                if (item is not StringValue part)
                {
                    throw state.Raise($"'in <string>' requires string as left operand, not {item.TypeName}");
                }

                state.Skim(text.Text.Length);
                return text.Text.Contains(part.Text, StringComparison.Ordinal);
            case DictValue dict:
                return dict.Items.ContainsKey(Hashable(state, item));
            case DictViewValue { Kind: DictViewKind.Keys } view:
                return view.Dict.Items.ContainsKey(Hashable(state, item));
            case NamespaceValue or BoolValue or IntValue or FloatValue or NoneValue or MethodValue or FunctionValue or MacroValue:
                throw state.Raise($"argument of type '{container.TypeName}' is not iterable");
            default:
                var walk = Sequences.Iterate(state, container);
                while (walk.MoveNext())
                {
                    state.Tick();
                    if (Equal(state, walk.Current, item))
                    {
                        return true;
                    }
                }

                return false;
        }
    }

    private static bool Ordered(RenderState state, string sign, Value left, Value right, Func<int, bool> holds)
        => Compare(state, sign, left, right) is { } order && holds(order);

    private static bool EqualItems(RenderState state, IReadOnlyList<Value> left, IReadOnlyList<Value> right)
    {
        if (left.Count != right.Count)
        {
            return false;
        }

        state.Enter();
        var equal = true;
        for (var i = 0; i < left.Count && equal; i++)
        {
            state.Tick();
            equal = Equal(state, left[i], right[i]);
        }

        state.Leave();
        return equal;
    }

    private static bool EqualDicts(RenderState state, DictValue left, DictValue right)
    {
        if (left.Items.Count != right.Items.Count)
        {
            return false;
        }

        state.Enter();
        var equal = true;
        foreach (var (key, value) in left.Items)
        {
            state.Tick();
            equal = right.Items.TryGetValue(key, out var other) && Equal(state, value, other);
            if (!equal)
            {
                break;
            }
        }

        state.Leave();
        return equal;
    }

    private static int? CompareItems(RenderState state, string sign, IReadOnlyList<Value> left, IReadOnlyList<Value> right)
    {
        state.Enter();
        int? result = null;
        var decided = false;
        for (var i = 0; i < Math.Min(left.Count, right.Count) && !decided; i++)
        {
            state.Tick();
            if (!Equal(state, left[i], right[i]))
            {
                result = Compare(state, sign, left[i], right[i]);
                decided = true;
            }
        }

        state.Leave();
        return decided ? result : left.Count.CompareTo(right.Count);
    }

    private static int? CompareNumbers(Value left, Value right)
    {
        if (left is FloatValue || right is FloatValue)
        {
            double a = Numbers.ToDouble(left), b = Numbers.ToDouble(right);
            if (double.IsNaN(a) || double.IsNaN(b))
            {
                return null;
            }

            if (a != b || left is FloatValue == right is FloatValue || double.IsInfinity(a))
            {
                return a.CompareTo(b);
            }

            // Equal as doubles; the integer may still be the neighbour of what the double says.
            return (left is FloatValue ? new BigInteger(a) : Numbers.ToBig(left)).CompareTo(right is FloatValue ? new BigInteger(b) : Numbers.ToBig(right));
        }

        return Numbers.TryInteger(left, out var x, out _) && Numbers.TryInteger(right, out var y, out _) ? x.CompareTo(y) : Numbers.ToBig(left).CompareTo(Numbers.ToBig(right));
    }
}

/// <summary>Numbers out of values; a bool is 0 or 1.</summary>
internal static class Numbers
{
    public static bool TryInteger(Value value, out long number, out Provenance provenance)
    {
        (number, provenance) = value switch
        {
            IntValue integer => (integer.Value, integer.Provenance),
            BoolValue flag => (flag.Value ? 1 : 0, Provenance.Template),
            _ => (0, Provenance.Template),
        };
        return value is IntValue or BoolValue;
    }

    public static bool IsNumber(Value value) => value is BoolValue or IntValue or BigIntValue or FloatValue;

    public static double ToDouble(Value value) => value switch
    {
        FloatValue number => number.Value,
        IntValue number => number.Value,
        BigIntValue number => (double)number.Value,
        BoolValue { Value: true } => 1,
        _ => 0,
    };

    public static BigInteger ToBig(Value value) => value switch { BigIntValue number => number.Value, IntValue number => number.Value, BoolValue { Value: true } => BigInteger.One, _ => BigInteger.Zero };

    public static Provenance ProvenanceOf(Value value) => value switch
    {
        IntValue number => number.Provenance,
        FloatValue number => number.Provenance,
        BigIntValue => Provenance.Content,
        StringValue text => text.Strongest,
        _ => Provenance.Template,
    };

    public static Provenance Join(Value left, Value right)
        => ProvenanceOf(left) == Provenance.Content || ProvenanceOf(right) == Provenance.Content ? Provenance.Content : Provenance.Template;

    /// <summary>An integer argument.</summary>
    public static long Integer(RenderState state, Value value)
        => TryInteger(value, out var number, out _) ? number
            : value is UndefinedValue missing ? throw state.Use(missing)
            : throw state.Raise($"'{value.TypeName}' object cannot be interpreted as an integer");
}

/// <summary>Operators on values, as Python defines them for 64-bit integers.</summary>
internal static class Arithmetic
{
    public static Value Apply(RenderState state, string sign, Value left, Value right)
    {
        state.Tick();
        if (left is StringValue format && sign == "%")
        {
            return PercentFormat.Apply(state, format, right);
        }

        if (left is UndefinedValue missing || (missing = (right as UndefinedValue)!) is not null)
        {
            throw state.Use(missing);
        }

        if (Numbers.IsNumber(left) && Numbers.IsNumber(right))
        {
            return left is FloatValue || right is FloatValue || (sign == "/" && left is not BigIntValue && right is not BigIntValue)
                ? Floats(state, sign, left, right)
                : Integers(state, sign, left, right);
        }

        return (sign, left, right) switch
        {
            ("+", StringValue a, StringValue b) => Concat(state, a, b),
            ("+", ListValue a, ListValue b) => Concat(state, a, b),
            ("+", TupleValue a, TupleValue b) => Concat(state, a, b),
            ("*", StringValue or ListValue or TupleValue, BoolValue or IntValue) => Repeat(state, left, Numbers.Integer(state, right)),
            ("*", BoolValue or IntValue, StringValue or ListValue or TupleValue) => Repeat(state, right, Numbers.Integer(state, left)),
            ("+", StringValue, _) => throw state.Raise($"can only concatenate str (not \"{right.TypeName}\") to str"),
            ("+", ListValue, _) => throw state.Raise($"can only concatenate list (not \"{right.TypeName}\") to list"),
            _ => throw state.Raise($"unsupported operand type(s) for {sign}: '{left.TypeName}' and '{right.TypeName}'"),
        };
    }

    public static Value Sign(RenderState state, bool negative, Value value) => value switch
    {
        UndefinedValue missing => throw state.Use(missing),
        FloatValue number => negative ? new FloatValue(-number.Value, number.Provenance) : number,
        IntValue or BoolValue when Numbers.TryInteger(value, out var number, out var provenance)
            => !negative ? new IntValue(number, provenance) : number == long.MinValue ? throw Overflow(state) : new IntValue(-number, provenance),
        _ => throw state.Raise($"bad operand type for unary {(negative ? '-' : '+')}: '{value.TypeName}'"),
    };

    public static ChatTemplateException Overflow(RenderState state) => state.Raise("integer result beyond 64 bits");

    public static StringValue Concat(RenderState state, StringValue left, StringValue right)
    {
        var markup = left.IsMarkup || right.IsMarkup;
        var text = new TextBuilder(state);
        text.Append(markup ? PythonText.Escape(state, left) : left);
        text.Append(markup ? PythonText.Escape(state, right) : right);
        return text.ToValue(markup);
    }

    private static ListValue Concat(RenderState state, ListValue left, ListValue right)
    {
        state.CheckElements((Int128)left.Items.Count + right.Items.Count);
        return new ListValue([.. left.Items, .. right.Items]);
    }

    private static TupleValue Concat(RenderState state, TupleValue left, TupleValue right)
    {
        state.CheckElements((Int128)left.Items.Length + right.Items.Length);
        return new TupleValue([.. left.Items, .. right.Items]);
    }

    private static Value Repeat(RenderState state, Value value, long count)
    {
        count = Math.Max(0, count);
        if (value is StringValue text)
        {
            var result = new TextBuilder(state);
            result.AppendRepeated(text, count);
            return result.ToValue(text.IsMarkup);
        }

        IReadOnlyList<Value> items = value is ListValue list ? list.Items : ((TupleValue)value).Items;
        state.CheckElements((Int128)count * items.Count);
        var repeated = new List<Value>((int)(count * items.Count));
        for (long i = 0; i < count && items.Count > 0; i++)
        {
            repeated.AddRange(items);
        }

        return value is ListValue ? new ListValue(repeated) : new TupleValue([.. repeated]);
    }

    private static Value Integers(RenderState state, string sign, Value left, Value right)
    {
        var provenance = Numbers.Join(left, right);
        if (!Numbers.TryInteger(left, out var a, out _) || !Numbers.TryInteger(right, out var b, out _))
        {
            throw Overflow(state);
        }

        Int128 result;
        switch (sign)
        {
            case "+":
                result = (Int128)a + b;
                break;
            case "-":
                result = (Int128)a - b;
                break;
            case "*":
                result = (Int128)a * b;
                break;
            case "//" or "%":
                if (b == 0)
                {
                    throw state.Raise("integer division or modulo by zero");
                }

                var (quotient, remainder) = Int128.DivRem(a, b);
                if (remainder != 0 && (remainder < 0) != (b < 0))
                {
                    quotient--;
                    remainder += b;
                }

                result = sign == "//" ? quotient : remainder;
                break;
            default:
                if (b < 0)
                {
                    return Floats(state, sign, left, right);
                }

                result = Power(state, a, b);
                break;
        }

        return result < long.MinValue || result > long.MaxValue ? throw Overflow(state) : new IntValue((long)result, provenance);
    }

    private static Int128 Power(RenderState state, long value, long exponent)
    {
        if (value is 0 or 1 or -1)
        {
            return exponent == 0 ? 1 : value == -1 && exponent % 2 == 0 ? 1 : value;
        }

        Int128 result = 1;
        for (long i = 0; i < exponent; i++)
        {
            result *= value;
            if (result < long.MinValue || result > long.MaxValue)
            {
                throw Overflow(state);
            }
        }

        return result;
    }

    private static FloatValue Floats(RenderState state, string sign, Value left, Value right)
    {
        double a = Numbers.ToDouble(left), b = Numbers.ToDouble(right);
        if (b == 0 && sign is "/" or "//" or "%")
        {
            throw state.Raise(left is FloatValue || right is FloatValue ? "float division by zero" : "division by zero");
        }

        if (a == 0 && b < 0 && sign == "**")
        {
            throw state.Raise("0.0 cannot be raised to a negative power");
        }

        var result = sign switch
        {
            "+" => a + b,
            "-" => a - b,
            "*" => a * b,
            "/" => a / b,
            "%" => Remainder(a, b),
            "//" => FloorDivide(a, b),
            _ => Math.Pow(a, b),
        };
        if (sign == "**" && double.IsInfinity(result) && double.IsFinite(a) && double.IsFinite(b))
        {
            throw state.Raise("numerical result out of range");
        }

        if (sign == "**" && a < 0 && double.IsNaN(result) && !double.IsNaN(b))
        {
            throw state.Raise("complex numbers are not supported");
        }

        return new FloatValue(result, Numbers.Join(left, right));
    }

    private static double Remainder(double a, double b)
    {
        var rest = a % b;
        if (rest != 0)
        {
            return (b < 0) != (rest < 0) ? rest + b : rest;
        }

        return Math.CopySign(0.0, b);
    }

    private static double FloorDivide(double a, double b)
    {
        var rest = a % b;
        var quotient = (a - rest) / b;
        if (rest != 0 && (b < 0) != (rest < 0))
        {
            quotient -= 1;
        }

        if (quotient == 0)
        {
            return Math.CopySign(0.0, a / b);
        }

        var floor = Math.Floor(quotient);
        return quotient - floor > 0.5 ? floor + 1 : floor;
    }
}
