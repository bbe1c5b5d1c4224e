using KvPrefetch.Engine.Text.Constraints.Regular;

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

/// <summary>States of a scalar's text under several schemas at once: one expression for all that must be true together, and one each for the others.</summary>
internal sealed class TextState
{
    private readonly ExprPool _pool;
    private readonly Context _context;
    private readonly int[] _others;
    private readonly int[] _all;
    private ByteClasses? _classes;
    private readonly List<int[]> _vectors = [];
    private readonly List<int[]?> _rows = [];
    private readonly Dictionary<VectorKey, int> _ids = [];

    public TextState(ExprPool pool, Context context, int[] goals, int any)
    {
        (_pool, _context) = (pool, context);
        List<int> must = [];
        List<int> others = [];
        for (var i = 0; i < goals.Length; i++)
        {
            if (context.Requirement.Allows(Bits.Of(i)))
            {
                others.Add(i);
            }
            else
            {
                must.Add(goals[i]);
            }
        }

        _others = [.. others];
        Must = pool.And([any, .. must]);
        // Where a character begins and ends is told apart too: that is how tokens are counted.
        _all = [Must, pool.AnyText, .. others.Select(i => goals[i])];
        Start = IsSimple ? (pool.IsEmpty(Must) ? -1 : Must) : Intern([Must, .. others.Select(i => goals[i])]);
    }

    /// <summary>One expression says it all; states are expressions.</summary>
    public bool IsSimple => _others.Length == 0;

    public int Must { get; }

    /// <summary>-1 where nothing is allowed.</summary>
    public int Start { get; }

    /// <summary>Bytes that no state tells apart.</summary>
    public ByteClasses Classes => _classes ??= _pool.ClassesOf(_all);

    public int Next(int state, byte b)
    {
        if (IsSimple)
        {
            var e = _pool.Next(state, b);
            return e == ExprPool.Empty ? -1 : e;
        }

        var row = _rows[state];
        if (row is null)
        {
            _rows[state] = row = new int[256];
            Array.Fill(row, int.MinValue);
            _context.Program.Charge(1_040);
        }

        var next = row[b];
        if (next == int.MinValue)
        {
            var vector = _vectors[state];
            var after = new int[vector.Length];
            for (var i = 0; i < after.Length; i++)
            {
                after[i] = _pool.Next(vector[i], b);
            }

            row[b] = next = Intern(after);
        }

        return next;
    }

    /// <summary>Goals that are false of the text as it is; false where it may not end.</summary>
    public bool CanClose(int state, out Bits failed)
    {
        failed = Bits.None;
        if (IsSimple)
        {
            return _pool.Nullable(state);
        }

        var vector = _vectors[state];
        if (!_pool.Nullable(vector[0]))
        {
            return false;
        }

        for (var i = 0; i < _others.Length; i++)
        {
            if (!_pool.Nullable(vector[i + 1]))
            {
                failed = failed.With(_others[i]);
            }
        }

        return _context.Requirement.Accepts(failed);
    }

    /// <summary>The only state's expressions.</summary>
    public ReadOnlySpan<int> Expressions(int state) => IsSimple ? new int[] { state } : _vectors[state];

    /// <summary>Whether, with goals that are not false yet, an outcome can be reached that is accepted.</summary>
    private bool CanFail(int[] vector, Bits failed)
    {
        const int maxOpen = 4;
        if (!_context.Requirement.Allows(failed))
        {
            return false;
        }

        List<int> open = [];
        for (var i = 0; i < _others.Length; i++)
        {
            if (!failed[_others[i]] && !_pool.IsEmpty(_pool.And(vector[0], _pool.Not(vector[i + 1]))))
            {
                open.Add(_others[i]);
            }
        }

        for (var set = 1; set < 1 << Math.Min(open.Count, maxOpen); set++)
        {
            var also = failed;
            for (var i = 0; i < Math.Min(open.Count, maxOpen); i++)
            {
                also = ((set >> i) & 1) != 0 ? also.With(open[i]) : also;
            }

            if (_context.Requirement.Accepts(also))
            {
                return true;
            }
        }

        return open.Count > maxOpen;
    }

    private int Intern(int[] vector)
    {
        if (_pool.IsEmpty(vector[0]))
        {
            return -1;
        }

        var failed = Bits.None;
        for (var i = 0; i < _others.Length; i++)
        {
            if (_pool.IsEmpty(vector[i + 1]))
            {
                vector[i + 1] = ExprPool.Empty;
                failed = failed.With(_others[i]);
            }
        }

        if (!_context.Requirement.Accepts(failed) && !CanFail(vector, failed))
        {
            return -1;
        }

        var key = new VectorKey(vector);
        if (!_ids.TryGetValue(key, out var id))
        {
            _ids.Add(key, id = _vectors.Count);
            _vectors.Add(vector);
            _rows.Add(null);
            _context.Program.Charge(100);
        }

        return id;
    }
}

/// <summary>An array of numbers, equal to those with the same members.</summary>
internal readonly struct VectorKey(int[] values) : IEquatable<VectorKey>
{
    private readonly int[] _values = values;

    public bool Equals(VectorKey other) => _values.AsSpan().SequenceEqual(other._values);

    public override bool Equals(object? obj) => obj is VectorKey other && Equals(other);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var value in _values)
        {
            hash.Add(value);
        }

        return hash.ToHashCode();
    }
}
