namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Text of the template itself.</summary>
internal sealed class DataStatement(int line, string text) : Statement(line)
{
    public override Completion Execute(Scope scope)
    {
        scope.State.Output.Append(text, Provenance.Template);
        return Completion.Normal;
    }

    public override void Verify(Verification verification)
    {
    }
}

internal sealed class OutputStatement(int line, Expression expression) : Statement(line)
{
    public override Completion Execute(Scope scope)
    {
        var value = expression.Evaluate(scope);
        scope.State.Output.Append(Printing.Str(scope.State, value));
        return Completion.Normal;
    }

    public override void Verify(Verification verification) => expression.Verify(verification);
}

internal sealed class IfStatement(int line, (Expression Test, Block Body)[] branches, Block? otherwise) : Statement(line)
{
    public override Completion Execute(Scope scope)
    {
        foreach (var (test, body) in branches)
        {
            if (Truth.Of(scope.State, test.Evaluate(scope)))
            {
                return body.Execute(scope);
            }
        }

        return otherwise?.Execute(scope) ?? Completion.Normal;
    }

    public override void Verify(Verification verification) => verification.Soft(() =>
    {
        foreach (var (test, body) in branches)
        {
            test.Verify(verification);
            body.Verify(verification);
        }

        otherwise?.Verify(verification);
    });
}

internal sealed class SetStatement(int line, Target target, Expression value) : Statement(line)
{
    public override Completion Execute(Scope scope)
    {
        target.Assign(scope, value.Evaluate(scope));
        return Completion.Normal;
    }

    public override void Verify(Verification verification) => value.Verify(verification);
}

/// <summary><c>{% set x %}...{% endset %}</c>, perhaps through filters.</summary>
internal sealed class SetBlockStatement(int line, Target target, Link[] filters, Block body) : Statement(line)
{
    public override Completion Execute(Scope scope)
    {
        var inner = new Scope(scope.State, scope);
        Value value = body.Capture(inner);
        foreach (var filter in filters)
        {
            value = filter.Apply(inner, value);
        }

        target.Assign(scope, value);
        return Completion.Normal;
    }

    public override void Verify(Verification verification)
    {
        body.Verify(verification);
        foreach (var filter in filters)
        {
            filter.Verify(verification);
        }
    }
}

internal sealed class FilterStatement(int line, Link[] filters, Block body) : Statement(line)
{
    public override Completion Execute(Scope scope)
    {
        var inner = new Scope(scope.State, scope);
        Value value = body.Capture(inner);
        foreach (var filter in filters)
        {
            value = filter.Apply(inner, value);
        }

        scope.State.WriteText(value);
        return Completion.Normal;
    }

    public override void Verify(Verification verification)
    {
        body.Verify(verification);
        foreach (var filter in filters)
        {
            filter.Verify(verification);
        }
    }
}

internal sealed class WithStatement(int line, (Target Target, Expression Value)[] assignments, Block body) : Statement(line)
{
    public override Completion Execute(Scope scope)
    {
        var inner = new Scope(scope.State, scope);
        foreach (var (target, value) in assignments)
        {
            target.Assign(inner, value.Evaluate(scope));
        }

        return body.Execute(inner);
    }

    public override void Verify(Verification verification)
    {
        foreach (var (_, value) in assignments)
        {
            value.Verify(verification);
        }

        body.Verify(verification);
    }
}

/// <summary>A body with its own scope: <c>generation</c>, <c>autoescape false</c>, or <c>block</c>, which sees the template's own variables only.</summary>
internal sealed class ScopeStatement(int line, Block body, bool fromRoot) : Statement(line)
{
    public override Completion Execute(Scope scope) => body.Execute(new Scope(scope.State, fromRoot ? scope.State.Root : scope));

    public override void Verify(Verification verification) => body.Verify(verification);
}

internal sealed class JumpStatement(int line, Completion completion) : Statement(line)
{
    public override Completion Execute(Scope scope) => completion;

    public override void Verify(Verification verification)
    {
    }
}

/// <summary><c>{% call(user) table() %}...{% endcall %}</c>: the body becomes the macro's <c>caller</c>.</summary>
internal sealed class CallStatement(int line, MacroDefinition caller, ChainExpression call) : Statement(line)
{
    public override Completion Execute(Scope scope)
    {
        var value = call.EvaluateWithCaller(scope, new MacroValue(caller, scope));
        scope.State.WriteText(value);
        return Completion.Normal;
    }

    public override void Verify(Verification verification)
    {
        caller.Verify(verification);
        call.Verify(verification);
    }
}
