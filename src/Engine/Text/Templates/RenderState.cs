using System.Runtime.CompilerServices;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>What one template may cost. All of it is counted, nothing is timed: the same input fails at the same place everywhere.</summary>
internal static class Budget
{
    /// <summary>UTF-16 units of a template's source.</summary>
    public const int Source = 1 << 20;

    /// <summary>Nesting of blocks and expressions.</summary>
    public const int ParseDepth = 64;

    public const int Nodes = 50_000;

    public const int Steps = 1_000_000;

    /// <summary>Expression nodes that count as one step.</summary>
    public const int UnitsPerStep = 8;

    /// <summary>What a macro call or a set block costs in steps, for the builder and the scope that it needs.</summary>
    public const int StepsPerCapture = 12;

    /// <summary>UTF-16 units of the output, and of any string on the way.</summary>
    public const int Chars = 8 << 20;

    /// <summary>UTF-16 units copied in all while rendering, for an empty input; each unit of input adds <see cref="CopiesPerInput"/>.</summary>
    public const long Copied = 16L << 20;

    public const long CopiesPerInput = 256;

    public const int Range = 100_000;

    /// <summary>Macros, callers and recursive loops inside each other.</summary>
    public const int CallDepth = 64;

    /// <summary>Statements and expressions being evaluated inside each other, calls included.</summary>
    public const int EvaluationDepth = 500;

    /// <summary>Lists and mappings inside each other, in the input or built by the template.</summary>
    public const int ValueDepth = 100;
}

/// <summary>Everything that belongs to one rendering: variables, clock, output, budgets, the line being executed.</summary>
internal sealed class RenderState
{
    private readonly IReadOnlyDictionary<string, Value> variables;
    private long units = (long)Budget.Steps * Budget.UnitsPerStep;
    private long chars;
    private int depth;
    private int calls;

    public RenderState(IReadOnlyDictionary<string, Value> variables, TimeProvider clock, long inputChars)
    {
        this.variables = variables;
        Clock = clock;
        chars = Budget.Copied + (Budget.CopiesPerInput * inputChars);
        Output = new TextBuilder(this);
        Root = new Scope(this, parent: null);
    }

    public int Line { get; set; } = 1;

    /// <summary>Where statements write; macros and set blocks put their own here for a while.</summary>
    public TextBuilder Output { get; set; }

    public Scope Root { get; }

    public TimeProvider Clock { get; }

    public Value? Variable(string name) => variables.TryGetValue(name, out var value) ? value : Globals.Find(name);

    /// <summary>Counts one node of an expression.</summary>
    public void Tick() => Spend(1);

    /// <summary>Counts statements, iterations or elements.</summary>
    public void Step(long count = 1) => Spend(count * Budget.UnitsPerStep);

    /// <summary>Before looking at every character of a text one by one.</summary>
    public void Scan(StringValue text) => Spend(text.Text.Length);

    /// <summary>Before comparing or searching text, which takes many characters at once.</summary>
    public void Skim(long chars) => Spend(chars / 16);

    public void ChargeChars(long count)
    {
        chars -= count;
        if (chars < 0)
        {
            throw Limit($"the template copies more text than its budget allows ({Budget.Copied} characters and {Budget.CopiesPerInput} for each of its input)");
        }
    }

    public void CheckLength(Int128 length)
    {
        if (length > Budget.Chars)
        {
            throw Limit($"text of {length} characters; the limit is {Budget.Chars}");
        }
    }

    /// <summary>Before building <paramref name="count"/> elements.</summary>
    public void CheckElements(Int128 count)
    {
        if (count > Budget.Steps)
        {
            throw Limit($"a sequence of {count} elements; the limit is {Budget.Steps}");
        }

        Step((long)count);
    }

    public void Enter()
    {
        if (++depth > Budget.EvaluationDepth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw Limit($"evaluation depth; the limit is {Budget.EvaluationDepth}");
        }
    }

    public void Leave() => depth--;

    public void EnterCall()
    {
        if (++calls > Budget.CallDepth)
        {
            throw Limit($"call depth; the limit is {Budget.CallDepth}");
        }
    }

    public void LeaveCall() => calls--;

    /// <summary>Writes what a filter or call block gave, which must be text.</summary>
    public void WriteText(Value value) => Output.Append(value as StringValue ?? throw Raise($"expected str instance, {value.TypeName} found"));

    public ChatTemplateException Raise(string message) => new(ChatTemplateError.Raised, At(message), Line);

    public ChatTemplateException Limit(string what) => new(ChatTemplateError.Limit, At("limit exceeded: " + what), Line);

    public ChatTemplateException Forbidden(string message) => new(ChatTemplateError.Forbidden, At(message), Line);

    public ChatTemplateException Unsupported(string message) => new(ChatTemplateError.Unsupported, At(message), Line);

    public ChatTemplateException Use(UndefinedValue undefined) => new(undefined.Reason, At(undefined.Message), Line);

    private string At(string message) => $"Chat template, line {Line}: {message}";

    private void Spend(long count)
    {
        units -= count;
        if (units < 0)
        {
            throw Limit($"steps; the limit is {Budget.Steps}");
        }
    }
}

/// <summary>Keeps someone's text in an error message to 80 characters.</summary>
internal static class Shorten
{
    public const int Limit = 80;

    public static string Text(string text) => text.Length <= Limit ? text : string.Concat(text.AsSpan(0, Limit - 1), "…");
}
