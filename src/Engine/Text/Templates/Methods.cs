using System.Collections.Frozen;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Methods of Python's types that a template may call. They change nothing: those that would are refused, as in transformers' sandbox.</summary>
internal static class Methods
{
    private static readonly FrozenSet<string> OfDict = Set("get", "items", "keys", "values", "copy", "fromkeys");
    private static readonly FrozenSet<string> UnsafeOfDict = Set("clear", "pop", "popitem", "setdefault", "update");
    private static readonly FrozenSet<string> OfList = Set("count", "index", "copy");
    private static readonly FrozenSet<string> UnsafeOfList = Set("append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove");
    private static readonly FrozenSet<string> OfTuple = Set("count", "index");
    private static readonly FrozenSet<string> OfInt = Set("bit_length", "bit_count", "conjugate", "is_integer", "as_integer_ratio", "to_bytes", "from_bytes");
    private static readonly FrozenSet<string> OfFloat = Set("is_integer", "conjugate", "hex", "fromhex", "as_integer_ratio");
    private static readonly FrozenSet<string> OfCycler = Set("next", "reset");
    private static readonly FrozenSet<string> OfLoop = Set("cycle", "changed");

    private static readonly FrozenSet<string> All = Set(
        [.. OfDict, .. UnsafeOfDict, .. OfList, .. UnsafeOfList, .. OfTuple, .. OfInt, .. OfFloat, .. OfCycler, .. OfLoop, .. StringMethods.Names]);

    /// <summary>Whether any type has a method of this name.</summary>
    public static bool IsKnown(string name) => All.Contains(name);

    public static bool Exists(Value value, string name) => value switch
    {
        StringValue => StringMethods.Names.Contains(name),
        DictValue => OfDict.Contains(name),
        ListValue => OfList.Contains(name),
        TupleValue or RangeValue => OfTuple.Contains(name),
        IntValue or BigIntValue or BoolValue => OfInt.Contains(name),
        FloatValue => OfFloat.Contains(name),
        CyclerValue => OfCycler.Contains(name),
        _ => false,
    };

    /// <summary>Whether the sandbox hides this method, because it changes its object.</summary>
    public static bool IsUnsafe(Value value, string name) => value switch
    {
        DictValue => UnsafeOfDict.Contains(name),
        ListValue => UnsafeOfList.Contains(name),
        _ => false,
    };

    /// <summary><c>value.name(...)</c>. As in Python, the member is looked up before the arguments are evaluated.</summary>
    public static Value Call(RenderState state, Value value, string name, Func<Arguments> evaluate)
    {
        var member = Members.Attribute(state, value, name);
        if (member is not MethodValue method || method.Owner != value.TypeName)
        {
            return Calls.Call(state, member, evaluate());
        }

        var arguments = evaluate();
        state.Step();
        return value switch
        {
            StringValue text => StringMethods.Call(state, text, name, arguments),
            DictValue dict => CallDict(state, dict, name, arguments),
            ListValue list => CallSequence(state, value, list.Items, name, arguments),
            TupleValue tuple => CallSequence(state, value, tuple.Items, name, arguments),
            RangeValue => CallSequence(state, value, Sequences.ToList(state, value), name, arguments),
            CyclerValue cycler => CallCycler(cycler, name),
            LoopValue loop => name == "cycle" ? loop.Cycle(arguments.Positional) : BoolValue.Of(loop.Changed(arguments.Positional)),
            IntValue or BoolValue or FloatValue => CallNumber(state, value, name),
            _ => throw Unsupported(state, value, name),
        };
    }

    private static Value CallDict(RenderState state, DictValue dict, string name, Arguments arguments)
    {
        switch (name)
        {
            case "get":
                var bound = arguments.Plain(state, "get", 1, 2);
                return dict.Items.TryGetValue(Comparison.Hashable(state, bound[0]), out var found) ? found : bound.Length > 1 ? bound[1] : NoneValue.Instance;
            case "items":
                arguments.Plain(state, name, 0, 0);
                return new DictViewValue(dict, DictViewKind.Items);
            case "keys":
                arguments.Plain(state, name, 0, 0);
                return new DictViewValue(dict, DictViewKind.Keys);
            case "values":
                arguments.Plain(state, name, 0, 0);
                return new DictViewValue(dict, DictViewKind.Values);
            case "copy":
                arguments.Plain(state, name, 0, 0);
                return dict;
            default:
                throw Unsupported(state, dict, name);
        }
    }

    private static Value CallSequence(RenderState state, Value value, IReadOnlyList<Value> items, string name, Arguments arguments)
    {
        if (name == "copy")
        {
            arguments.Plain(state, name, 0, 0);
            return value;
        }

        var bound = arguments.Plain(state, name, 1, name == "index" ? 3 : 1);
        state.Step(items.Count);
        if (name == "count")
        {
            return IntValue.Of(items.Count(item => Comparison.Equal(state, item, bound[0])));
        }

        var start = bound.Length > 1 ? Limit(Numbers.Integer(state, bound[1]), items.Count) : 0;
        var stop = bound.Length > 2 ? Limit(Numbers.Integer(state, bound[2]), items.Count) : items.Count;
        for (var i = start; i < stop; i++)
        {
            if (Comparison.Equal(state, items[(int)i], bound[0]))
            {
                return IntValue.Of(i);
            }
        }

        throw state.Raise("the value is not in the list");
    }

    private static long Limit(long index, int count) => Math.Clamp(index < 0 ? index + count : index, 0, count);

    private static Value CallCycler(CyclerValue cycler, string name)
    {
        var current = cycler.Items[cycler.Position];
        cycler.Position = name == "reset" ? 0 : (cycler.Position + 1) % cycler.Items.Length;
        return name == "reset" ? NoneValue.Instance : current;
    }

    private static Value CallNumber(RenderState state, Value value, string name)
    {
        switch (name)
        {
            case "conjugate":
                return value;
            case "is_integer":
                return BoolValue.Of(value is not FloatValue number || (double.IsFinite(number.Value) && number.Value == Math.Floor(number.Value)));
            case "bit_length" or "bit_count" when Numbers.TryInteger(value, out var integer, out _):
                var magnitude = UInt128.CreateTruncating(Int128.Abs(integer));
                return IntValue.Of(name == "bit_count" ? (long)UInt128.PopCount(magnitude) : 128 - (long)UInt128.LeadingZeroCount(magnitude));
            default:
                throw Unsupported(state, value, name);
        }
    }

    private static ChatTemplateException Unsupported(RenderState state, Value value, string name)
        => state.Unsupported($"the method '{name}' of '{value.TypeName}' is not supported");

    private static FrozenSet<string> Set(params string[] names) => names.ToFrozenSet(StringComparer.Ordinal);
}
