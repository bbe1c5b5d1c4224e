namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>A place for a value with the schemas that are followed there. Equal sets of schemas are one place.</summary>
internal sealed class Locus(SchemaProgram program, Goal[] goals)
{
    private readonly Formula?[] _scalars = new Formula?[3];
    private int[]? _strings;
    private int[]? _numbers;
    private ObjectPlan? _object;
    private ArrayPlan? _array;

    public SchemaProgram Program { get; } = program;

    public Goal[] Goals { get; } = goals;

    public ObjectPlan Object => _object ??= new ObjectPlan(this);

    public ArrayPlan Array => _array ??= new ArrayPlan(this);

    /// <summary>For each goal, the texts of strings that are valid.</summary>
    public int[] Strings => _strings ??= [.. Goals.Select(g => Program.StringExpression(g))];

    /// <summary>For each goal, the numbers that are valid. Where any goal looks at values, numbers are written without an exponent.</summary>
    public int[] Numbers
    {
        get
        {
            if (_numbers is null)
            {
                var plain = Goals.All(g => g.Project(JsonTypes.Number) is { IsTrue: true } or { IsFalse: true });
                _numbers = [.. Goals.Select(g => Program.NumberExpression(g, plain))];
                NumberBase = plain ? Program.AnyNumber : Program.PlainNumber;
            }

            return _numbers;
        }
    }

    /// <summary>All numbers as they may be written here; valid after <see cref="Numbers"/>.</summary>
    public int NumberBase { get; private set; }

    /// <summary>Goals that are false of null, false or true.</summary>
    public Bits Failed(JsonTypes type)
    {
        var failed = Bits.None;
        for (var i = 0; i < Goals.Length; i++)
        {
            if (Goals[i].Project(type).IsFalse)
            {
                failed = failed.With(i);
            }
        }

        return failed;
    }
}

/// <summary>What the place around a value asks of it: which of its schemas may be false.</summary>
internal abstract class Requirement
{
    public static Requirement All { get; } = new AllRequirement();

    /// <summary>Whether the whole can still become true when these goals are false, and perhaps others.</summary>
    public abstract bool Allows(Bits failed);

    /// <summary>Whether the whole can still become true when these goals are false, and no others.</summary>
    public abstract bool Accepts(Bits failed);

    private sealed class AllRequirement : Requirement
    {
        public override bool Allows(Bits failed) => failed.IsEmpty;

        public override bool Accepts(Bits failed) => failed.IsEmpty;
    }
}

/// <summary>Where a value's end leads back to.</summary>
internal abstract class Slot : Requirement
{
    private readonly Dictionary<Bits, bool> _allowed = [];
    private readonly Dictionary<Bits, bool> _accepted = [];

    /// <summary>The cursor behind the value; dead where the value may not be like this.</summary>
    /// <param name="failed">Goals that turned out false.</param>
    /// <param name="stack">Where to go on behind what the value is part of.</param>
    public abstract Cursor Return(Bits failed, ReturnStack? stack);

    public sealed override bool Allows(Bits failed)
    {
        if (!_allowed.TryGetValue(failed, out var allowed))
        {
            _allowed.Add(failed, allowed = Decide(failed));
        }

        return allowed;
    }

    public sealed override bool Accepts(Bits failed)
    {
        if (!_accepted.TryGetValue(failed, out var accepted))
        {
            _accepted.Add(failed, accepted = DecideFinally(failed));
        }

        return accepted;
    }

    protected abstract bool Decide(Bits failed);

    /// <summary>As <see cref="Decide"/>, where no other goals are false.</summary>
    protected virtual bool DecideFinally(Bits failed) => Decide(failed);

    /// <summary>How values here are read: where every goal must be true, this is shared by all such places.</summary>
    protected Context ContextFor(Locus locus)
    {
        for (var i = 0; i < locus.Goals.Length; i++)
        {
            if (Allows(Bits.Of(i)))
            {
                return new Context(locus, this);
            }
        }

        return locus.Program.Shared(locus);
    }
}

/// <summary>Where to go on behind a value, and behind what is around it.</summary>
internal sealed class ReturnStack(Slot slot, ReturnStack? next)
{
    public const int MaxDepth = 256;

    public int Depth { get; } = next is null ? 1 : next.Depth + 1;

    public Cursor Return(Bits failed) => slot.Return(failed, next);
}

/// <summary>A place for a value together with what is asked of it there: owns the modes that read such values.</summary>
internal sealed class Context(Locus locus, Requirement requirement)
{
    private ValueMode? _value;
    private TextState? _strings;
    private TextState? _numbers;
    private StringMode? _string;
    private NumberMode? _number;
    private ObjectSearch? _search;
    private bool? _needsSearch;
    private readonly Dictionary<ObjectState, ObjectFrame> _objects = [];
    private readonly Dictionary<ArrayState, ArrayFrame> _arrays = [];

    public Locus Locus { get; } = locus;

    public SchemaProgram Program => Locus.Program;

    public Requirement Requirement { get; } = requirement;

    public ValueMode Value => _value ??= new ValueMode(this);

    public StringMode String => _string ??= new StringMode(this, Strings);

    public NumberMode Number => _number ??= new NumberMode(this, Numbers);

    private TextState Strings => _strings ??= new TextState(Program.Pool, this, Locus.Strings, Program.Pool.AnyText);

    private TextState Numbers => _numbers ??= new TextState(Program.Pool, this, Locus.Numbers, Locus.NumberBase);

    /// <summary>The literal's mode; null where it is not allowed.</summary>
    public LiteralMode? Literal(JsonTypes type)
    {
        var failed = Locus.Failed(type);
        return Requirement.Accepts(failed) ? new LiteralMode(type, failed) : null;
    }

    /// <summary>Whether keys must be looked at further than one ahead.</summary>
    public bool NeedsSearch => _needsSearch ??= Locus.Object.NeedsSearch || !Requirement.Accepts(Bits.None);

    /// <summary>Whether an object in this state can still be completed, as far as that is found out.</summary>
    public bool CanFinish(ObjectState state) => !NeedsSearch || (_search ??= new ObjectSearch(this)).CanFinish(state);

    public ObjectFrame Object(ObjectState state)
    {
        if (!_objects.TryGetValue(state, out var frame))
        {
            Program.Charge(200);
            _objects.Add(state, frame = new ObjectFrame(this, state));
        }

        return frame;
    }

    public ArrayFrame Array(ArrayState state)
    {
        if (!_arrays.TryGetValue(state, out var frame))
        {
            Program.Charge(200);
            _arrays.Add(state, frame = new ArrayFrame(this, state));
        }

        return frame;
    }
}
