namespace KvPrefetch.Engine.Text.Templates;

/// <summary>A value and what is done to it in turn: attributes, subscripts, calls, filters, tests. One loop, however long.</summary>
internal sealed class ChainExpression(int line, Expression head, Link[] links) : Expression(line)
{
    public Expression Head { get; } = head;

    public Link[] Links { get; } = links;

    public override Value Evaluate(Scope scope) => Evaluate(scope, caller: null);

    /// <summary>The last link is a call, which gets <paramref name="caller"/> too.</summary>
    public Value EvaluateWithCaller(Scope scope, MacroValue caller) => Evaluate(scope, caller);

    public override void Verify(Verification verification)
    {
        if (Head is NameExpression name && Links[0] is CallLink)
        {
            verification.Function(name.Name, Line);
        }

        Head.Verify(verification);
        Array.ForEach(Links, link => link.Verify(verification));
    }

    private Value Evaluate(Scope scope, MacroValue? caller)
    {
        var state = scope.State;
        state.Enter();
        var value = Head.Evaluate(scope);
        for (var i = 0; i < Links.Length; i++)
        {
            state.Tick();
            state.Line = Links[i].Line;
            value = caller is not null && i == Links.Length - 1 ? Links[i].ApplyWithCaller(scope, value, caller) : Links[i].Apply(scope, value);
        }

        state.Leave();
        return value;
    }
}

internal abstract class Link(int line)
{
    public int Line { get; } = line;

    public abstract Value Apply(Scope scope, Value value);

    public virtual Value ApplyWithCaller(Scope scope, Value value, MacroValue caller) => Apply(scope, value);

    public abstract void Verify(Verification verification);
}

internal sealed class AttributeLink(int line, string name) : Link(line)
{
    public string Name { get; } = name;

    public override Value Apply(Scope scope, Value value) => Members.Attribute(scope.State, value, Name);

    public override void Verify(Verification verification) => verification.Attribute(Name, Line);
}

internal sealed class ItemLink(int line, Expression index) : Link(line)
{
    public Expression Index { get; } = index;

    public override Value Apply(Scope scope, Value value) => Members.Item(scope.State, value, Index.Evaluate(scope));

    public override void Verify(Verification verification) => Index.Verify(verification);
}

/// <summary>Arguments as written.</summary>
internal sealed class ArgumentList(Expression[] positional, (string Name, Expression Value)[] named, Expression? morePositional, Expression? moreNamed)
{
    public static readonly ArgumentList None = new([], [], morePositional: null, moreNamed: null);

    public Arguments Evaluate(Scope scope)
    {
        if (named.Length == 0 && morePositional is null && moreNamed is null)
        {
            return positional.Length == 0 ? Arguments.None : new Arguments(Evaluate(positional, scope));
        }

        var state = scope.State;
        var values = new List<Value>(Evaluate(positional, scope));
        var pairs = new List<KeyValuePair<string, Value>>();
        foreach (var (name, value) in named)
        {
            Add(state, pairs, name, value.Evaluate(scope));
        }

        if (morePositional is not null)
        {
            values.AddRange(Sequences.ToList(state, Sequences.Iterate(state, morePositional.Evaluate(scope))));
        }

        if (moreNamed is not null)
        {
            if (moreNamed.Evaluate(scope) is not DictValue dict)
            {
                throw state.Raise("argument after ** must be a mapping");
            }

            state.CheckElements(dict.Items.Count);
            foreach (var (key, value) in dict.Items)
            {
                Add(state, pairs, key is StringValue text ? text.Text : throw state.Raise("keywords must be strings"), value);
            }
        }

        return new Arguments([.. values], pairs);
    }

    public void Verify(Verification verification)
    {
        Array.ForEach(positional, value => value.Verify(verification));
        Array.ForEach(named, pair => pair.Value.Verify(verification));
        morePositional?.Verify(verification);
        moreNamed?.Verify(verification);
    }

    private static Value[] Evaluate(Expression[] expressions, Scope scope)
    {
        var values = new Value[expressions.Length];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = expressions[i].Evaluate(scope);
        }

        return values;
    }

    private static void Add(RenderState state, List<KeyValuePair<string, Value>> pairs, string name, Value value)
    {
        foreach (var pair in pairs)
        {
            state.Tick();
            if (pair.Key == name)
            {
                throw state.Raise($"got multiple values for keyword argument '{Shorten.Text(name)}'");
            }
        }

        pairs.Add(KeyValuePair.Create(name, value));
    }
}

internal sealed class CallLink(int line, ArgumentList arguments) : Link(line)
{
    public override Value Apply(Scope scope, Value value) => Calls.Call(scope.State, value, arguments.Evaluate(scope));

    public override Value ApplyWithCaller(Scope scope, Value value, MacroValue caller)
        => Calls.Call(scope.State, value, arguments.Evaluate(scope).With(MacroDefinition.Caller, caller));

    public override void Verify(Verification verification) => arguments.Verify(verification);
}

/// <summary><c>.name(...)</c>, in one link: a method exists only while it is called.</summary>
internal sealed class MethodLink(int line, string name, ArgumentList arguments) : Link(line)
{
    public override Value Apply(Scope scope, Value value) => Methods.Call(scope.State, value, name, () => arguments.Evaluate(scope));

    public override Value ApplyWithCaller(Scope scope, Value value, MacroValue caller)
        => Methods.Call(scope.State, value, name, () => arguments.Evaluate(scope).With(MacroDefinition.Caller, caller));

    public override void Verify(Verification verification)
    {
        verification.Method(name, Line);
        arguments.Verify(verification);
    }
}

/// <summary><c>[...](...)</c>: <c>x['upper']()</c> calls the method, as in Python's Jinja.</summary>
internal sealed class ItemCallLink(int line, Expression index, ArgumentList arguments) : Link(line)
{
    public override Value Apply(Scope scope, Value value) => Apply(scope, value, () => arguments.Evaluate(scope));

    public override Value ApplyWithCaller(Scope scope, Value value, MacroValue caller)
        => Apply(scope, value, () => arguments.Evaluate(scope).With(MacroDefinition.Caller, caller));

    public override void Verify(Verification verification)
    {
        index.Verify(verification);
        arguments.Verify(verification);
    }

    private Value Apply(Scope scope, Value value, Func<Arguments> evaluate)
    {
        var key = index.Evaluate(scope);
        var member = Members.Item(scope.State, value, key);
        return member is MethodValue && key is StringValue name
            ? Methods.Call(scope.State, value, name.Text, evaluate)
            : Calls.Call(scope.State, member, evaluate());
    }
}

internal sealed class FilterLink(int line, string name, ArgumentList arguments) : Link(line)
{
    public override Value Apply(Scope scope, Value value) => Filters.Apply(scope.State, name, value, arguments.Evaluate(scope));

    public override void Verify(Verification verification)
    {
        verification.Filter(name, Line);
        arguments.Verify(verification);
    }
}

internal sealed class TestLink(int line, string name, ArgumentList arguments, bool negated) : Link(line)
{
    public override Value Apply(Scope scope, Value value)
        => BoolValue.Of(Tests.Apply(scope.State, name, value, arguments.Evaluate(scope)) != negated);

    public override void Verify(Verification verification)
    {
        verification.Test(name, Line);
        arguments.Verify(verification);
    }
}
