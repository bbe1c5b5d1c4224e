using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>Reads a part of JSON. What it allows depends on itself and its value alone, up to where it is complete.</summary>
internal abstract class JsonMode(SchemaProgram program) : Mode
{
    public SchemaProgram Program { get; } = program;

    public override void Fill(in Cursor at, MaskWalk walk) => walk.FillRemembered(this, at);

    /// <summary>Allows the tokens from here on, by walking.</summary>
    public virtual void Walk(in Cursor at, MaskWalk walk)
    {
        if (!Program.FreeWhiteSpace || !TakesSpace(at.Value))
        {
            walk.Walk(walk.Vocabulary.Trie, at);
            return;
        }

        foreach (var id in walk.Vocabulary.Spaces.Only)
        {
            walk.Allow(id);
        }

        walk.Walk(walk.Vocabulary.Spaces.Trie, at);
    }

    /// <summary>White space may come and changes nothing.</summary>
    protected virtual bool TakesSpace(int value) => true;

    protected bool IsSpace(byte b) => b is (byte)' ' or (byte)'\n' or (byte)'\t' or (byte)'\r' && Program.FreeWhiteSpace;
}

/// <summary>Stands for all that is outside of what is being read, while a walk is remembered. The value numbers the goals that failed, twice, plus one where the last byte is not read yet.</summary>
internal sealed class ExitMode(SchemaProgram program) : JsonMode(program)
{
    public static bool IsBefore(in Cursor at) => (at.Value & 1) != 0;

    public Bits Failed(in Cursor at) => Program.FailedById(at.Value >> 1);

    public override Cursor Step(in Cursor at, byte b) => at with { Value = at.Value | 1 };
}

/// <summary>Leads to <see cref="ExitMode"/>.</summary>
internal sealed class ExitSlot(SchemaProgram program) : Slot
{
    private ExitMode? _mode;

    public override Cursor Return(Bits failed, ReturnStack? stack) => new(_mode ??= new ExitMode(program), program.IdOfFailed(failed) << 1);

    protected override bool Decide(Bits failed) => true;
}

/// <summary>The end of the whole value: what comes behind it in the grammar, or white space.</summary>
internal sealed class RootSlot(SchemaProgram program, Machine machine, Continuation? next) : Slot
{
    public override Cursor Return(Bits failed, ReturnStack? stack)
        => !failed.IsEmpty ? default : next is null && program.FreeWhiteSpace ? new Cursor(program.Done, 0) : machine.Start(next);

    public Context Context(Locus locus) => ContextFor(locus);

    protected override bool Decide(Bits failed) => failed.IsEmpty;
}

/// <summary>White space behind the whole.</summary>
internal sealed class DoneMode(SchemaProgram program) : JsonMode(program)
{
    public override Cursor Step(in Cursor at, byte b) => IsSpace(b) ? at : default;

    public override bool CanEnd(in Cursor at) => true;
}

/// <summary>Before a value.</summary>
internal sealed class ValueMode(Context context) : JsonMode(context.Program)
{
    private LiteralMode?[]? _literals;

    public override Cursor Step(in Cursor at, byte b)
    {
        switch (b)
        {
            case (byte)'"':
                return context.String.Begin(at.Stack);
            case (byte)'-' or (>= (byte)'0' and <= (byte)'9'):
                return context.Number.Begin(at.Stack, b);
            case (byte)'{':
                return Deeper(at) && context.Object(default(ObjectState) with { Others = "" }) is { IsAlive: true } frame ? new Cursor(frame.Mode, ObjectMode.Opened, at.Stack) : default;
            case (byte)'[':
                return Deeper(at) && context.Array(default(ArrayState) with { Counts = "" }) is { IsAlive: true } array ? new Cursor(array.Mode, ArrayMode.Opened, at.Stack) : default;
            case (byte)'n' or (byte)'t' or (byte)'f':
                _literals ??= [context.Literal(JsonTypes.Null), context.Literal(JsonTypes.False), context.Literal(JsonTypes.True)];
                return _literals[b == 'n' ? 0 : b == 'f' ? 1 : 2] is { } literal ? new Cursor(literal, 1, at.Stack) : default;
            default:
                return IsSpace(b) ? at : default;
        }
    }

    private static bool Deeper(in Cursor at) => at.Stack!.Depth < ReturnStack.MaxDepth;
}

/// <summary>Within null, false or true; the value counts the characters read.</summary>
internal sealed class LiteralMode(JsonTypes type, Bits failed) : Mode
{
    private readonly byte[] _text = type switch { JsonTypes.Null => "null"u8.ToArray(), JsonTypes.False => "false"u8.ToArray(), _ => "true"u8.ToArray() };

    public override Cursor Step(in Cursor at, byte b)
        => b != _text[at.Value] ? default : at.Value + 1 == _text.Length ? at.Stack!.Return(failed) : at with { Value = at.Value + 1 };

    public override int OnlyByte(in Cursor at) => _text[at.Value];
}

/// <summary>Between the members of an object.</summary>
internal sealed class ObjectMode(ObjectFrame frame) : JsonMode(frame.Context.Program)
{
    /// <summary>Behind the opening brace.</summary>
    public const int Opened = 0;
    /// <summary>Behind a member.</summary>
    public const int AfterMember = 1;
    /// <summary>Behind a comma.</summary>
    public const int AfterComma = 2;

    public override Cursor Step(in Cursor at, byte b)
    {
        switch (b)
        {
            case (byte)'"' when at.Value != AfterMember:
                return frame.HasKeys ? frame.Keys.Begin(at.Stack) : default;
            case (byte)',' when at.Value == AfterMember:
                return frame.HasKeys ? at with { Value = AfterComma } : default;
            case (byte)'}' when at.Value != AfterComma:
                return frame.CanClose(out var failed) ? at.Stack!.Return(failed) : default;
            default:
                return IsSpace(b) ? at : default;
        }
    }
}

/// <summary>Behind a key; value 1 behind its colon is the value's own mode.</summary>
internal sealed class ColonMode(PropertySlot slot) : JsonMode(slot.Frame.Context.Program)
{
    public override Cursor Step(in Cursor at, byte b)
        => b == ':' ? new Cursor(slot.Context.Value, 0, new ReturnStack(slot, at.Stack)) : IsSpace(b) ? at : default;

    public override int OnlyByte(in Cursor at) => Program.FreeWhiteSpace ? -1 : ':';
}

/// <summary>Between the items of an array.</summary>
internal sealed class ArrayMode(ArrayFrame frame) : JsonMode(frame.Context.Program)
{
    /// <summary>Behind the opening bracket.</summary>
    public const int Opened = 0;
    /// <summary>Behind an item.</summary>
    public const int AfterItem = 1;

    public override Cursor Step(in Cursor at, byte b)
    {
        switch (b)
        {
            case (byte)',' when at.Value == AfterItem:
                return frame.Next is { } next ? Item(next, at.Stack) : default;
            case (byte)']':
                return frame.CanClose(out var failed) ? at.Stack!.Return(failed) : default;
            default:
                return IsSpace(b) ? at : at.Value == Opened && frame.Next is { } first ? Item(first, at.Stack).Step(b) : default;
        }
    }

    private Cursor Item(ItemSlot slot, ReturnStack? stack)
    {
        if (frame.Plan.IsUnique)
        {
            return CaptureMode.Begin(slot, stack);
        }

        return new Cursor(slot.Context.Value, 0, new ReturnStack(slot, stack));
    }
}
