using System.Collections.Frozen;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>What <c>is</c> can ask.</summary>
internal static class Tests
{
    private delegate bool Test(RenderState state, Value value, Value[] arguments);

    private static readonly FrozenDictionary<string, (int Arguments, Test Test)> Known = new Dictionary<string, (int, Test)>(StringComparer.Ordinal)
    {
        ["defined"] = (0, static (_, value, _) => value is not UndefinedValue),
        ["undefined"] = (0, static (_, value, _) => value is UndefinedValue),
        ["none"] = (0, static (_, value, _) => value is NoneValue),
        ["boolean"] = (0, static (_, value, _) => value is BoolValue),
        ["true"] = (0, static (_, value, _) => value is BoolValue { Value: true }),
        ["false"] = (0, static (_, value, _) => value is BoolValue { Value: false }),
        ["integer"] = (0, static (_, value, _) => value is IntValue or BigIntValue),
        ["float"] = (0, static (_, value, _) => value is FloatValue),
        ["number"] = (0, static (_, value, _) => Numbers.IsNumber(value)),
        ["string"] = (0, static (_, value, _) => value is StringValue),
        ["mapping"] = (0, static (_, value, _) => value is DictValue),
        ["iterable"] = (0, static (_, value, _) => Sequences.IsIterable(value)),
        ["sequence"] = (0, static (_, value, _) => value is StringValue or ListValue or TupleValue or DictValue or RangeValue or UndefinedValue),
        ["callable"] = (0, static (_, value, _) => Calls.IsCallable(value) || value is UndefinedValue),
        ["escaped"] = (0, static (_, value, _) => value is StringValue { IsMarkup: true }),
        ["odd"] = (0, static (state, value, _) => Modulo(state, value, 2) == 1),
        ["even"] = (0, static (state, value, _) => Modulo(state, value, 2) == 0),
        ["divisibleby"] = (1, static (state, value, arguments) => Numbers.ToDouble(Arithmetic.Apply(state, "%", value, arguments[0])) == 0),
        ["lower"] = (0, static (state, value, _) => HasCase(state, value, "islower")),
        ["upper"] = (0, static (state, value, _) => HasCase(state, value, "isupper")),
        ["filter"] = (0, static (_, value, _) => value is StringValue name && Filters.Exists(name.Text)),
        ["test"] = (0, static (_, value, _) => value is StringValue name && Exists(name.Text)),
        ["sameas"] = (1, static (_, value, arguments) => Same(value, arguments[0])),
        ["in"] = (1, static (state, value, arguments) => Comparison.Contains(state, arguments[0], value)),
        ["=="] = (1, static (state, value, arguments) => Comparison.Equal(state, value, arguments[0])),
        ["eq"] = (1, static (state, value, arguments) => Comparison.Equal(state, value, arguments[0])),
        ["equalto"] = (1, static (state, value, arguments) => Comparison.Equal(state, value, arguments[0])),
        ["!="] = (1, static (state, value, arguments) => !Comparison.Equal(state, value, arguments[0])),
        ["ne"] = (1, static (state, value, arguments) => !Comparison.Equal(state, value, arguments[0])),
        ["<"] = (1, static (state, value, arguments) => Comparison.Holds(state, "<", value, arguments[0])),
        ["lt"] = (1, static (state, value, arguments) => Comparison.Holds(state, "<", value, arguments[0])),
        ["lessthan"] = (1, static (state, value, arguments) => Comparison.Holds(state, "<", value, arguments[0])),
        ["<="] = (1, static (state, value, arguments) => Comparison.Holds(state, "<=", value, arguments[0])),
        ["le"] = (1, static (state, value, arguments) => Comparison.Holds(state, "<=", value, arguments[0])),
        [">"] = (1, static (state, value, arguments) => Comparison.Holds(state, ">", value, arguments[0])),
        ["gt"] = (1, static (state, value, arguments) => Comparison.Holds(state, ">", value, arguments[0])),
        ["greaterthan"] = (1, static (state, value, arguments) => Comparison.Holds(state, ">", value, arguments[0])),
        [">="] = (1, static (state, value, arguments) => Comparison.Holds(state, ">=", value, arguments[0])),
        ["ge"] = (1, static (state, value, arguments) => Comparison.Holds(state, ">=", value, arguments[0])),
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public static bool Exists(string name) => Known.ContainsKey(name);

    public static bool Apply(RenderState state, string name, Value value, Arguments arguments)
    {
        state.Tick();
        if (!Known.TryGetValue(name, out var test))
        {
            throw state.Unsupported($"No test named '{Shorten.Text(name)}' found.");
        }

        var bound = arguments.HasNamed && name == "divisibleby" ? [arguments.Bind(state, name, 1, "num")[0]!]
            : arguments.HasNamed && name == "sameas" ? [arguments.Bind(state, name, 1, "other")[0]!]
            : arguments.HasNamed && name == "in" ? [arguments.Bind(state, name, 1, "seq")[0]!]
            : arguments.Plain(state, $"the test '{name}'", test.Arguments, test.Arguments);
        return test.Test(state, value, bound);
    }

    private static bool HasCase(RenderState state, Value value, string question)
    {
        var text = Printing.Str(state, value);
        state.Scan(text);
        return Casing.Is(text.Text, question);
    }

    private static double Modulo(RenderState state, Value value, long by) => value is StringValue
        ? throw state.Raise("not all arguments converted during string formatting")
        : Numbers.ToDouble(Arithmetic.Apply(state, "%", value, IntValue.Of(by)));

    // Identity: of the values that Python keeps once; everything else by reference.
    private static bool Same(Value left, Value right) => (left, right) switch
    {
        (IntValue a, IntValue b) => a.Value == b.Value && a.Value is >= -5 and <= 256,
        (NoneValue, NoneValue) => true,
        _ => ReferenceEquals(left, right),
    };
}
