namespace KvPrefetch.Engine.Text.Templates;

/// <summary>How a statement ended.</summary>
internal enum Completion
{
    Normal,
    Break,
    Continue,
}

internal abstract class Statement(int line)
{
    public int Line { get; } = line;

    public abstract Completion Execute(Scope scope);

    /// <summary>Finds names that can never be resolved, when the template is parsed.</summary>
    public abstract void Verify(Verification verification);
}

internal abstract class Expression(int line)
{
    public int Line { get; } = line;

    public abstract Value Evaluate(Scope scope);

    public abstract void Verify(Verification verification);
}

/// <summary>Something that can be assigned to.</summary>
internal abstract class Target
{
    public abstract void Assign(Scope scope, Value value);
}

internal sealed class NameTarget(string name) : Target
{
    public string Name { get; } = name;

    public override void Assign(Scope scope, Value value) => scope.Set(Name, value);
}

internal sealed class AttributeTarget(string name, string attribute) : Target
{
    public override void Assign(Scope scope, Value value)
    {
        if (scope.Find(name) is not NamespaceValue target)
        {
            throw scope.State.Raise("cannot assign attribute on non-namespace object");
        }

        target.Attributes[attribute] = value;
    }
}

internal sealed class TupleTarget(Target[] targets) : Target
{
    public Target[] Targets { get; } = targets;

    public override void Assign(Scope scope, Value value)
    {
        var state = scope.State;
        var items = new List<Value>(Targets.Length);
        var walk = Sequences.Iterate(state, value);
        while (walk.MoveNext())
        {
            if (items.Count == Targets.Length)
            {
                throw state.Raise($"too many values to unpack (expected {Targets.Length})");
            }

            items.Add(walk.Current);
        }

        if (items.Count < Targets.Length)
        {
            throw state.Raise($"not enough values to unpack (expected {Targets.Length}, got {items.Count})");
        }

        for (var i = 0; i < items.Count; i++)
        {
            Targets[i].Assign(scope, items[i]);
        }
    }
}

/// <summary>Statements one after the other.</summary>
internal sealed class Block(Statement[] statements)
{
    public static readonly Block Empty = new([]);

    public Completion Execute(Scope scope)
    {
        var state = scope.State;
        state.Enter();
        foreach (var statement in statements)
        {
            state.Line = statement.Line;
            state.Step();
            var completion = statement.Execute(scope);
            if (completion != Completion.Normal)
            {
                state.Leave();
                return completion;
            }
        }

        state.Leave();
        return Completion.Normal;
    }

    /// <summary>Runs with an output of its own and gives what was written.</summary>
    public StringValue Capture(Scope scope)
    {
        var state = scope.State;
        state.Step(Budget.StepsPerCapture);
        var outer = state.Output;
        state.Output = new TextBuilder(state);
        Execute(scope);
        var written = state.Output.ToValue();
        state.Output = outer;
        return written;
    }

    public void Verify(Verification verification)
    {
        foreach (var statement in statements)
        {
            statement.Verify(verification);
        }
    }
}

/// <summary>Walks a parsed template for names that do not exist. Jinja complains of an unknown filter or test where it stands directly in a block,
/// and leaves it to the rendering where an <c>if</c> may step around it; functions and methods are reported only where every rendering must reach them.</summary>
internal sealed class Verification(IReadOnlySet<string> assigned, IReadOnlySet<string> attributes)
{
    private bool soft;
    private bool optional;

    public void Soft(Action inside) => With(newSoft: true, newOptional: true, inside);

    /// <summary>A body that may run any number of times, none included.</summary>
    public void Optional(Action inside) => With(newSoft: false, newOptional: true, inside);

    /// <summary>The right side of <c>and</c>, of <c>or</c> and of a comparison may not be reached.</summary>
    public void Unreached(Action inside) => With(soft, newOptional: true, inside);

    public void Filter(string name, int line)
    {
        if (!soft && !Filters.Exists(name))
        {
            throw Unknown("filter", name, line);
        }
    }

    public void Test(string name, int line)
    {
        if (!soft && !Tests.Exists(name))
        {
            throw Unknown("test", name, line);
        }
    }

    public void Function(string name, int line)
    {
        if (!optional && !assigned.Contains(name) && Globals.Find(name) is null)
        {
            throw Unknown("function", name, line);
        }
    }

    /// <summary>Python's inner attributes are refused wherever a rendering must reach them.</summary>
    public void Attribute(string name, int line)
    {
        if (!optional && Members.IsInternal(name))
        {
            throw new ChatTemplateException(ChatTemplateError.Forbidden, $"Chat template, line {line}: access to attribute '{Shorten.Text(name)}' is unsafe.", line);
        }
    }

    public void Method(string name, int line)
    {
        Attribute(name, line);
        if (!optional && !attributes.Contains(name) && !Methods.IsKnown(name))
        {
            throw Unknown("method", name, line);
        }
    }

    private void With(bool newSoft, bool newOptional, Action inside)
    {
        var (oldSoft, oldOptional) = (soft, optional);
        (soft, optional) = (newSoft, optional || newOptional);
        inside();
        (soft, optional) = (oldSoft, oldOptional);
    }

    private static ChatTemplateException Unknown(string kind, string name, int line)
        => new(ChatTemplateError.Unsupported, $"Chat template, line {line}: no {kind} named '{Shorten.Text(name)}'", line);
}
