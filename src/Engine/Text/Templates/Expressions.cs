namespace KvPrefetch.Engine.Text.Templates;

internal sealed class ConstantExpression(int line, Value value) : Expression(line)
{
    public Value Value { get; } = value;

    public override Value Evaluate(Scope scope)
    {
        scope.State.Tick();
        return Value;
    }

    public override void Verify(Verification verification)
    {
    }
}

internal sealed class NameExpression(int line, string name) : Expression(line)
{
    public string Name { get; } = name;

    public override Value Evaluate(Scope scope)
    {
        scope.State.Tick();
        return scope.Find(Name) ?? scope.State.Variable(Name) ?? UndefinedValue.Variable(Name);
    }

    public override void Verify(Verification verification)
    {
    }
}

internal sealed class ListExpression(int line, Expression[] items) : Expression(line)
{
    public override Value Evaluate(Scope scope)
    {
        scope.State.CheckElements(items.Length);
        return new ListValue([.. items.Select(item => item.Evaluate(scope))]);
    }

    public override void Verify(Verification verification) => Array.ForEach(items, item => item.Verify(verification));
}

internal sealed class TupleExpression(int line, Expression[] items) : Expression(line)
{
    public override Value Evaluate(Scope scope)
    {
        scope.State.CheckElements(items.Length);
        return new TupleValue([.. items.Select(item => item.Evaluate(scope))]);
    }

    public override void Verify(Verification verification) => Array.ForEach(items, item => item.Verify(verification));
}

internal sealed class DictExpression(int line, (Expression Key, Expression Value)[] items) : Expression(line)
{
    public override Value Evaluate(Scope scope)
    {
        scope.State.CheckElements(items.Length);
        var dict = new DictValue();
        foreach (var (key, value) in items)
        {
            dict.Items[Comparison.Hashable(scope.State, key.Evaluate(scope))] = value.Evaluate(scope);
        }

        return dict;
    }

    public override void Verify(Verification verification)
    {
        foreach (var (key, value) in items)
        {
            key.Verify(verification);
            value.Verify(verification);
        }
    }
}

internal sealed class SliceExpression(int line, Expression? start, Expression? stop, Expression? step) : Expression(line)
{
    public override Value Evaluate(Scope scope)
    {
        scope.State.Tick();
        return new SliceValue(start?.Evaluate(scope) ?? NoneValue.Instance, stop?.Evaluate(scope) ?? NoneValue.Instance, step?.Evaluate(scope) ?? NoneValue.Instance);
    }

    public override void Verify(Verification verification)
    {
        start?.Verify(verification);
        stop?.Verify(verification);
        step?.Verify(verification);
    }
}

/// <summary><c>a if test else b</c>; without else, undefined.</summary>
internal sealed class ConditionalExpression(int line, Expression test, Expression then, Expression? otherwise) : Expression(line)
{
    public override Value Evaluate(Scope scope)
    {
        scope.State.Tick();
        return Truth.Of(scope.State, test.Evaluate(scope)) ? then.Evaluate(scope)
            : otherwise?.Evaluate(scope) ?? UndefinedValue.Because("the inline if-expression evaluated to false and no else section was defined.");
    }

    public override void Verify(Verification verification) => verification.Soft(() =>
    {
        test.Verify(verification);
        then.Verify(verification);
        otherwise?.Verify(verification);
    });
}

/// <summary>A run of <c>and</c>, or of <c>or</c>.</summary>
internal sealed class LogicalExpression(int line, bool isAnd, Expression[] operands) : Expression(line)
{
    public override Value Evaluate(Scope scope)
    {
        scope.State.Tick();
        for (var i = 0; ; i++)
        {
            var value = operands[i].Evaluate(scope);
            if (i == operands.Length - 1 || Truth.Of(scope.State, value) != isAnd)
            {
                return value;
            }
        }
    }

    public override void Verify(Verification verification)
    {
        operands[0].Verify(verification);
        verification.Unreached(() => Array.ForEach(operands[1..], operand => operand.Verify(verification)));
    }
}

internal sealed class NotExpression(int line, Expression operand) : Expression(line)
{
    public override Value Evaluate(Scope scope)
    {
        scope.State.Tick();
        return BoolValue.Of(!Truth.Of(scope.State, operand.Evaluate(scope)));
    }

    public override void Verify(Verification verification) => operand.Verify(verification);
}

internal sealed class SignExpression(int line, bool negative, Expression operand) : Expression(line)
{
    public override Value Evaluate(Scope scope)
    {
        scope.State.Tick();
        return Arithmetic.Sign(scope.State, negative, operand.Evaluate(scope));
    }

    public override void Verify(Verification verification) => operand.Verify(verification);
}

/// <summary>Operators of one precedence, from left to right, without recursion however long the run.</summary>
internal sealed class ArithmeticExpression(int line, Expression first, (string Operator, Expression Operand)[] rest) : Expression(line)
{
    public override Value Evaluate(Scope scope)
    {
        scope.State.Tick();
        var value = first.Evaluate(scope);
        foreach (var (sign, operand) in rest)
        {
            value = Arithmetic.Apply(scope.State, sign, value, operand.Evaluate(scope));
        }

        return value;
    }

    public override void Verify(Verification verification)
    {
        first.Verify(verification);
        Array.ForEach(rest, part => part.Operand.Verify(verification));
    }
}

/// <summary><c>a ~ b ~ c</c>.</summary>
internal sealed class ConcatExpression(int line, Expression[] operands) : Expression(line)
{
    public override Value Evaluate(Scope scope)
    {
        scope.State.Tick();
        var values = new Value[operands.Length];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = operands[i].Evaluate(scope);
        }

        var text = new TextBuilder(scope.State);
        foreach (var value in values)
        {
            text.Append(Printing.Str(scope.State, value));
        }

        return text.ToValue();
    }

    public override void Verify(Verification verification) => Array.ForEach(operands, operand => operand.Verify(verification));
}

/// <summary><c>a &lt; b &lt;= c</c>: every operand is evaluated once, and none after the first that fails.</summary>
internal sealed class CompareExpression(int line, Expression first, (string Operator, Expression Operand)[] rest) : Expression(line)
{
    public override Value Evaluate(Scope scope)
    {
        scope.State.Tick();
        var left = first.Evaluate(scope);
        foreach (var (sign, operand) in rest)
        {
            var right = operand.Evaluate(scope);
            if (!Comparison.Holds(scope.State, sign, left, right))
            {
                return BoolValue.False;
            }

            left = right;
        }

        return BoolValue.True;
    }

    public override void Verify(Verification verification)
    {
        first.Verify(verification);
        rest[0].Operand.Verify(verification);
        verification.Unreached(() => Array.ForEach(rest[1..], part => part.Operand.Verify(verification)));
    }
}
