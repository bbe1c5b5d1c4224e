namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Attributes and subscripts, with Jinja's rule that each falls back to the other, and the sandbox's that some are not to be had.</summary>
internal static class Members
{
    /// <summary>Whether Python keeps this name for itself, such as <c>__class__</c>.</summary>
    public static bool IsInternal(string name) => name.Length > 4 && name.StartsWith("__", StringComparison.Ordinal) && name.EndsWith("__", StringComparison.Ordinal);

    /// <summary><c>value.name</c>: the attribute, else the element of that name.</summary>
    public static Value Attribute(RenderState state, Value value, string name)
    {
        if (value is UndefinedValue missing)
        {
            throw state.Use(missing);
        }

        RefuseInternal(state, value, name);
        if (TryAttribute(state, value, name) is { } attribute)
        {
            return attribute;
        }

        return value is DictValue dict && dict.Items.TryGetValue(new StringValue(name, Provenance.Template), out var element)
            ? element
            : UndefinedValue.Attribute(value, name);
    }

    /// <summary><c>value[index]</c>: the element, else the attribute of that name.</summary>
    public static Value Item(RenderState state, Value value, Value index)
    {
        if (value is UndefinedValue missing)
        {
            throw state.Use(missing);
        }

        if (index is SliceValue slice)
        {
            return value switch
            {
                StringValue or ListValue or TupleValue or RangeValue => Sequences.Slice(state, value, slice),
                DictValue => throw state.Raise("unhashable type: 'slice'"),
                _ => throw state.Raise($"'{value.TypeName}' object is not subscriptable"),
            };
        }

        if (Element(state, value, index) is { } element)
        {
            return element;
        }

        if (index is StringValue name)
        {
            RefuseInternal(state, value, name.Text);
            return TryAttribute(state, value, name.Text) ?? UndefinedValue.Attribute(value, name.Text);
        }

        return UndefinedValue.Element(value, index is IntValue or FloatValue or BoolValue or NoneValue ? Printing.Str(state, index).Text : $"of type '{index.TypeName}'");
    }

    /// <summary>What Python's <c>getattr</c> would find, or null.</summary>
    public static Value? TryAttribute(RenderState state, Value value, string name)
    {
        switch (value)
        {
            case NamespaceValue target:
                return target.Attributes.TryGetValue(name, out var attribute)
                    ? name.StartsWith('_') ? UndefinedValue.Unsafe(value, name) : attribute
                    : null;
            case LoopValue loop:
                return loop.Attribute(name);
            case TupleValue { IsGroup: true } group when name is "grouper" or "list":
                return group.Items[name == "grouper" ? 0 : 1];
            case CyclerValue cycler when name == "current":
                return cycler.Items[cycler.Position];
            case RangeValue range when name is "start" or "stop" or "step":
                return IntValue.Of(name switch { "start" => range.Start, "stop" => range.Stop, _ => range.Step });
            case IntValue or BoolValue when name is "real" or "numerator":
                return Numbers.TryInteger(value, out var number, out var provenance) ? new IntValue(number, provenance) : null;
            case IntValue or BoolValue when name is "imag" or "denominator":
                return IntValue.Of(name == "imag" ? 0 : 1);
            case FloatValue when name is "real" or "imag":
                return name == "real" ? value : new FloatValue(0);
            case MacroValue macro:
                return MacroAttribute(macro, name);
            default:
                return Methods.IsUnsafe(value, name) ? UndefinedValue.Unsafe(value, name) : Methods.Exists(value, name) ? new MethodValue(value.TypeName, name) : null;
        }
    }

    /// <summary>Element of a container as Python's <c>value[index]</c>, null where Python has none or raises.</summary>
    private static Value? Element(RenderState state, Value value, Value index) => value switch
    {
        DictValue dict => IsHashable(index) && dict.Items.TryGetValue(Comparison.Hashable(state, index), out var element) ? element : null,
        StringValue or ListValue or TupleValue or RangeValue => Numbers.TryInteger(index, out var position, out _) ? Sequences.At(state, value, position) : null,
        _ => null,
    };

    private static bool IsHashable(Value value) => value is not (ListValue or DictValue or SliceValue) && (value is not TupleValue tuple || Array.TrueForAll(tuple.Items, item => item is not (ListValue or DictValue)));

    private static Value? MacroAttribute(MacroValue macro, string name) => name switch
    {
        "name" => macro.Definition.Name is null ? NoneValue.Instance : new StringValue(macro.Definition.Name, Provenance.Template),
        "arguments" => new TupleValue([.. macro.Definition.Parameters.Select(parameter => new StringValue(parameter, Provenance.Template))]),
        "catch_kwargs" => BoolValue.Of(macro.Definition.UsesKwargs),
        "catch_varargs" => BoolValue.Of(macro.Definition.UsesVarargs),
        "caller" => BoolValue.Of(macro.Definition.UsesCaller),
        _ => null,
    };

    // Python's inner attributes lead out of the sandbox; here they lead nowhere, and asking for one is no accident.
    private static void RefuseInternal(RenderState state, Value value, string name)
    {
        if (IsInternal(name) || value is SelfValue)
        {
            throw state.Forbidden($"access to attribute '{Shorten.Text(name)}' of '{value.TypeName}' object is unsafe.");
        }
    }
}

/// <summary>Calls of values: macros, global functions, loops.</summary>
internal static class Calls
{
    public static Value Call(RenderState state, Value callee, Arguments arguments)
    {
        switch (callee)
        {
            case UndefinedValue missing:
                throw state.Use(missing);
            case FunctionValue function:
                return function.Call(state, arguments);
            case MacroValue macro:
                return macro.Call(state, arguments);
            case LoopValue loop:
                return loop.Recurse(arguments.Plain(state, "loop", 1, 1)[0]);
            case JoinerValue joiner:
                var isFirst = !joiner.Used;
                joiner.Used = true;
                return isFirst ? StringValue.Empty : joiner.Separator;
            case MethodValue method:
                throw state.Forbidden($"the method '{method.Name}' of '{method.Owner}' was kept and called later; templates may only call it where they read it.");
            default:
                throw state.Raise($"'{callee.TypeName}' object is not callable");
        }
    }

    public static bool IsCallable(Value value) => value is FunctionValue or MacroValue or LoopValue or JoinerValue or MethodValue;
}
