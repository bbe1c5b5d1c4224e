namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Parameters and body of a macro or call block.</summary>
internal sealed class MacroDefinition(string? name, string[] parameters, Expression?[] defaults, Block body, bool usesCaller, bool usesKwargs, bool usesVarargs)
{
    public const string Caller = "caller";
    public const string Kwargs = "kwargs";
    public const string Varargs = "varargs";

    public string? Name { get; } = name;
    public string[] Parameters { get; } = parameters;

    /// <summary>One for each parameter; null where it has none.</summary>
    public Expression?[] Defaults { get; } = defaults;
    public Block Body { get; } = body;
    public bool UsesCaller { get; } = usesCaller;
    public bool UsesKwargs { get; } = usesKwargs;
    public bool UsesVarargs { get; } = usesVarargs;

    public void Verify(Verification verification) => verification.Optional(() =>
    {
        foreach (var value in Defaults)
        {
            value?.Verify(verification);
        }

        Body.Verify(verification);
    });
}

internal sealed class MacroStatement(int line, string target, MacroDefinition macro) : Statement(line)
{
    public override Completion Execute(Scope scope)
    {
        scope.Set(target, new MacroValue(macro, scope));
        return Completion.Normal;
    }

    public override void Verify(Verification verification) => macro.Verify(verification);
}

/// <summary>A macro and the scope that it was defined in.</summary>
internal sealed class MacroValue(MacroDefinition definition, Scope closure) : Value
{
    public MacroDefinition Definition { get; } = definition;

    public override string TypeName => "Macro";

    public Value Call(RenderState state, Arguments arguments)
    {
        state.EnterCall();
        var scope = new Scope(state, closure);
        Bind(state, scope, arguments);
        var line = state.Line;
        var result = Definition.Body.Capture(scope);
        state.Line = line;
        state.LeaveCall();
        return result;
    }

    private void Bind(RenderState state, Scope scope, Arguments arguments)
    {
        var parameters = Definition.Parameters;
        var positional = arguments.Positional;
        var named = arguments.Named is null ? [] : new List<KeyValuePair<string, Value>>(arguments.Named);
        var bound = new Value?[parameters.Length];
        var explicitCaller = false;
        for (var i = 0; i < parameters.Length; i++)
        {
            if (i < positional.Length)
            {
                bound[i] = positional[i];
                explicitCaller |= positional.Length >= parameters.Length && parameters[i] == MacroDefinition.Caller;
            }
            else
            {
                bound[i] = Pop(named, parameters[i]);
                explicitCaller |= parameters[i] == MacroDefinition.Caller;
            }
        }

        if (Definition.UsesCaller && !explicitCaller)
        {
            scope.Set(MacroDefinition.Caller, Pop(named, MacroDefinition.Caller) is { } caller and not NoneValue ? caller : UndefinedValue.Because("No caller defined"));
        }

        if (Definition.UsesKwargs)
        {
            var rest = new DictValue();
            foreach (var (key, value) in named)
            {
                rest.Items[new StringValue(key, Provenance.Template)] = value;
            }

            scope.Set(MacroDefinition.Kwargs, rest);
        }
        else if (named.Count > 0)
        {
            throw state.Raise($"macro '{Definition.Name}' takes no keyword argument '{Shorten.Text(named[0].Key)}'");
        }

        if (Definition.UsesVarargs)
        {
            scope.Set(MacroDefinition.Varargs, new TupleValue(positional.Length > parameters.Length ? positional[parameters.Length..] : []));
        }
        else if (positional.Length > parameters.Length)
        {
            throw state.Raise($"macro '{Definition.Name}' takes not more than {parameters.Length} argument(s)");
        }

        for (var i = 0; i < parameters.Length; i++)
        {
            // A default sees the parameters before it.
            scope.Set(parameters[i], bound[i] ?? Definition.Defaults[i]?.Evaluate(scope) ?? UndefinedValue.Because($"parameter '{parameters[i]}' was not provided"));
        }
    }

    private static Value? Pop(List<KeyValuePair<string, Value>> named, string name)
    {
        var index = named.FindIndex(pair => pair.Key == name);
        if (index < 0)
        {
            return null;
        }

        var value = named[index].Value;
        named.RemoveAt(index);
        return value;
    }
}
