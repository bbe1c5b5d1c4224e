namespace KvPrefetch.Engine.Text.Templates;

internal sealed class ForStatement(int line, Target target, Expression iterable, Expression? test, Block body, Block? otherwise, bool recursive, bool usesLoop, bool keepsScopes) : Statement(line)
{
    public const string Loop = "loop";

    public override Completion Execute(Scope scope)
    {
        var items = iterable.Evaluate(scope);
        if (recursive)
        {
            scope.State.Output.Append(Recurse(scope, items, depth: 0));
        }
        else
        {
            return Run(scope, items, depth: 0);
        }

        return Completion.Normal;
    }

    public override void Verify(Verification verification)
    {
        iterable.Verify(verification);
        verification.Optional(() =>
        {
            test?.Verify(verification);
            body.Verify(verification);
            otherwise?.Verify(verification);
        });
    }

    /// <summary>The loop once more over other items, as text: what <c>loop(items)</c> does inside a recursive loop.</summary>
    public StringValue Recurse(Scope scope, Value items, int depth)
    {
        var state = scope.State;
        state.EnterCall();
        state.Enter();
        state.Step(Budget.StepsPerCapture);
        var outer = state.Output;
        state.Output = new TextBuilder(state);
        Run(scope, items, depth);
        var written = state.Output.ToValue();
        state.Output = outer;
        state.Leave();
        state.LeaveCall();
        return written;
    }

    private Completion Run(Scope scope, Value items, int depth)
    {
        var state = scope.State;
        var source = test is null ? items : new GeneratorValue(state, Filtered(scope, Sequences.Iterate(state, items)));
        var walk = Sequences.Iterate(state, source);
        var loop = usesLoop || recursive ? new LoopValue(state, source, walk, depth, recursive ? nested => Recurse(scope, nested, depth + 1) : null) : null;

        // As in Jinja, the else part runs unless one iteration came to its end: break and continue do not count.
        var completed = false;
        var inner = new Scope(state, scope);
        while (loop is null ? walk.MoveNext() : loop.MoveNext())
        {
            state.Step();
            if (keepsScopes)
            {
                // A macro defined in the body may still refer to the iteration before.
                inner = new Scope(state, scope);
            }
            else
            {
                inner.Clear();
            }

            target.Assign(inner, loop is null ? walk.Current : loop.Current);
            if (loop is not null)
            {
                inner.Set(Loop, loop);
            }

            var completion = body.Execute(inner);
            state.Line = Line;
            if (completion == Completion.Break)
            {
                break;
            }

            completed |= completion == Completion.Normal;
        }

        return completed || otherwise is null ? Completion.Normal : otherwise.Execute(new Scope(state, scope));
    }

    private IEnumerator<Value> Filtered(Scope scope, IEnumerator<Value> items)
    {
        var inner = new Scope(scope.State, scope);
        while (items.MoveNext())
        {
            inner.Clear();
            target.Assign(inner, items.Current);
            scope.State.Step();
            if (Truth.Of(scope.State, test!.Evaluate(inner)))
            {
                yield return items.Current;
            }
        }
    }
}

/// <summary>The variable <c>loop</c>. It looks one item ahead only when asked.</summary>
internal sealed class LoopValue(RenderState state, Value source, IEnumerator<Value> items, int depth, Func<Value, Value>? recurse) : Value
{
    private IEnumerator<Value> rest = items;
    private Value? before;
    private Value? after;
    private Value[]? lastChanged;
    private long length = -1;
    private long index0 = -1;

    public override string TypeName => "LoopContext";

    public Value Current { get; private set; } = NoneValue.Instance;

    public long Length
    {
        get
        {
            if (length >= 0)
            {
                return length;
            }

            if (Sequences.TryLength(source) is { } known)
            {
                return length = known;
            }

            // A generator: walk it now, keep what is left.
            var left = Sequences.ToList(state, rest);
            rest = left.GetEnumerator();
            return length = left.Count + index0 + 1 + (after is null ? 0 : 1);
        }
    }

    public bool MoveNext()
    {
        Value next;
        if (after is not null)
        {
            next = after;
            after = null;
        }
        else if (rest.MoveNext())
        {
            next = rest.Current;
        }
        else
        {
            return false;
        }

        before = index0 < 0 ? null : Current;
        Current = next;
        index0++;
        return true;
    }

    public Value? Attribute(string name) => name switch
    {
        "index" => IntValue.Of(index0 + 1),
        "index0" => IntValue.Of(index0),
        "revindex" => IntValue.Of(Length - index0),
        "revindex0" => IntValue.Of(Length - index0 - 1),
        "first" => BoolValue.Of(index0 == 0),
        "last" => BoolValue.Of(Peek() is null),
        "length" => IntValue.Of(Length),
        "depth" => IntValue.Of(depth + 1),
        "depth0" => IntValue.Of(depth),
        "previtem" => before ?? UndefinedValue.Because("there is no previous item"),
        "nextitem" => Peek() ?? UndefinedValue.Because("there is no next item"),
        "cycle" or "changed" => new MethodValue(TypeName, name),
        _ => null,
    };

    public Value Cycle(Value[] values)
        => values.Length == 0 ? throw state.Raise("no items for cycling given") : values[index0 % values.Length];

    public bool Changed(Value[] values)
    {
        if (lastChanged is not null && lastChanged.Length == values.Length)
        {
            var same = true;
            for (var i = 0; i < values.Length && same; i++)
            {
                same = Comparison.Equal(state, lastChanged[i], values[i]);
            }

            if (same)
            {
                return false;
            }
        }

        lastChanged = values;
        return true;
    }

    public Value Recurse(Value nested)
        => recurse is null ? throw state.Raise("The loop must have the 'recursive' marker to be called recursively.") : recurse(nested);

    public string Describe() => $"<LoopContext {index0 + 1}/{Length}>";

    private Value? Peek()
    {
        if (after is null && rest.MoveNext())
        {
            after = rest.Current;
        }

        return after;
    }
}
