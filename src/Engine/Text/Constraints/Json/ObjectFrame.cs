namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>An object being read, between its members. Frames are shared by all objects of the same state in the same context.</summary>
internal sealed class ObjectFrame
{
    private readonly Dictionary<(int Class, string Key), PropertySlot?> _slots = [];
    private readonly Dictionary<int, bool> _alive = [];
    private readonly Dictionary<int, bool> _kinds = [];
    private readonly ObjectPlan _plan;
    private readonly bool _full;
    private bool[]? _names;
    private bool? _others;
    private bool? _isAlive;
    private bool? _tracksKeys;
    private Bits? _closing;
    private KeyMode? _keys;
    private ObjectMode? _mode;

    public ObjectFrame(Context context, ObjectState state)
    {
        (Context, State, _plan) = (context, state, context.Locus.Object);
        // A bound that must hold leaves no room for keys that might come.
        foreach (var count in _plan.Counts)
        {
            if (count.IsMax && state.Count >= count.Limit)
            {
                _full |= !Allows(state with { Count = count.Limit + 1 }, full: false);
            }
        }

        CanOpen = Allows(state, _full);
    }

    public Context Context { get; }

    public ObjectState State { get; }

    public ObjectPlan Plan => _plan;

    public ObjectMode Mode => _mode ??= new ObjectMode(this);

    public KeyMode Keys => _keys ??= new KeyMode(this);

    /// <summary>Nothing seen so far makes the whole false.</summary>
    public bool CanOpen { get; }

    /// <summary>Keys that are not known by name must be told apart here: a least number of members is not reached yet.</summary>
    public bool TracksKeys => _tracksKeys ??= _plan.TracksKeys && State.Count < _plan.LeastCount && OthersAllowed;

    /// <summary>Nothing seen so far makes the whole false, and the object can be closed or go on.</summary>
    public bool IsAlive => _isAlive ??= CanOpen && (CanClose(out _) || (HasKeys && !LacksKeys() && Context.CanFinish(State)));

    /// <summary>Whether any key may come.</summary>
    public bool HasKeys => !_full && (OthersAllowed || Array.Exists(Names, n => n));

    /// <summary>Known keys that may come now.</summary>
    public bool[] Names
    {
        get
        {
            if (_names is null)
            {
                var names = new bool[_plan.Names.Length];
                for (var i = 0; i < names.Length; i++)
                {
                    names[i] = !State.Seen[i] && Slot(_plan.ClassOfName(i), "") is not null;
                }

                _names = names;
                Context.Program.Charge(24 + names.Length);
            }

            return _names;
        }
    }

    /// <summary>Whether keys may come that are not known.</summary>
    public bool OthersAllowed => _others ??= !_full && AreOthersAlive(_plan.Start);

    /// <summary>Whether the object may be closed, and which goals are false then.</summary>
    public bool CanClose(out Bits failed)
    {
        if (_closing is null)
        {
            _closing = _plan.Failed(State, closed: true, Bits.None, _full);
        }

        failed = _closing.Value;
        return Context.Requirement.Accepts(failed);
    }

    /// <summary>Where the value of a key of this kind leads back to; null where such a key may not come.</summary>
    /// <param name="kind">Kind of the key.</param>
    /// <param name="key">The key itself, where keys are counted.</param>
    public PropertySlot? Slot(KeyClass kind, string key)
    {
        if (!_slots.TryGetValue((kind.Id, key), out var slot))
        {
            slot = Entered(kind, key) is { } entered ? new PropertySlot(this, kind, entered) : null;
            _slots.Add((kind.Id, key), slot);
            Context.Program.Charge(160);
        }

        return slot;
    }

    /// <summary>Whether a key that has been read up to here can become one that may come.</summary>
    public bool IsKeyAlive(int key)
    {
        if (_alive.TryGetValue(key, out var alive))
        {
            return alive;
        }

        var (low, high, _) = _plan.Candidates(key);
        for (var i = low; i < high && !alive; i++)
        {
            alive = Names[i];
        }

        if (!alive && !_full)
        {
            alive = AreOthersAlive(key);
        }

        _alive.Add(key, alive);
        return alive;
    }

    public bool Allows(ObjectState state, bool full) => Context.Requirement.Allows(_plan.Failed(state, closed: false, Bits.None, full));

    /// <summary>Keys that are not known by name: alive where a kind of key that they can still become may come.</summary>
    private bool AreOthersAlive(int key) => _plan.OtherKinds(key) is not { } kinds || Array.Exists(kinds, IsAllowed);

    /// <summary>Whether every kind of key that one read up to here can become may come, keys known by name aside.</summary>
    public bool AllowsAll(int key) => !_full && _plan.OtherKinds(key) is { Length: > 0 } kinds && Array.TrueForAll(kinds, IsAllowed);

    private bool IsAllowed(KeyClass kind)
    {
        if (!_kinds.TryGetValue(kind.Id, out var allowed))
        {
            _kinds.Add(kind.Id, allowed = Entered(kind) is not null);
        }

        return allowed;
    }

    /// <summary>The state with this key begun; null where that makes the whole false.</summary>
    private ObjectState? Entered(KeyClass kind, string key = "")
    {
        if (_full)
        {
            return null;
        }

        if (kind.Name >= 0 ? State.Seen[kind.Name] : key.Length > 0 && State.HasOther(key))
        {
            return null;
        }

        var state = ObjectPlan.After(_plan.Enter(State, kind, key), kind, kind.Never);
        if (!CanLead(state, kind, kind.Never))
        {
            return null;
        }

        return state;
    }

    /// <summary>Whether some value of a key that has come leads on: one of which these goals are false, and perhaps others.</summary>
    public bool CanLead(ObjectState entered, KeyClass kind, Bits failed)
    {
        var least = ObjectPlan.After(entered, kind, failed);
        if (!Allows(least, full: false))
        {
            return false;
        }

        if (!Context.NeedsSearch || Context.CanFinish(least))
        {
            return true;
        }

        var outcomes = ObjectSearch.Outcomes(kind, failed, out var complete);
        return outcomes.Any(outcome => Context.CanFinish(ObjectPlan.After(entered, kind, outcome))) || !complete;
    }

    /// <summary>A known key that must come and cannot, or more that must than may.</summary>
    private bool LacksKeys()
    {
        var must = 0;
        var room = int.MaxValue;
        foreach (var count in _plan.Counts)
        {
            if (count.IsMax && !Allows(State with { Count = count.Limit + 1 }, full: false))
            {
                room = Math.Min(room, count.Limit - State.Count);
            }
        }

        foreach (var atom in _plan.Keys)
        {
            var name = _plan.NameIndex(atom.Name);
            if (State.Seen[name] || Context.Requirement.Allows(_plan.Failed(State, closed: false, Bits.Of(name), _full)))
            {
                continue;
            }

            must++;
            if (!Names[name])
            {
                return true;
            }
        }

        return must > room;
    }
}

/// <summary>The value of a member: leads back to its object.</summary>
internal sealed class PropertySlot(ObjectFrame frame, KeyClass kind, ObjectState entered) : Slot
{
    private readonly Dictionary<Bits, ObjectFrame> _after = [];
    private Context? _context;
    private ColonMode? _colon;

    public ObjectFrame Frame => frame;

    public Context Context => _context ??= ContextFor(kind.Locus);

    public ColonMode Colon => _colon ??= new ColonMode(this);

    public override Cursor Return(Bits failed, ReturnStack? stack)
    {
        if (!_after.TryGetValue(failed, out var next))
        {
            _after.Add(failed, next = frame.Context.Object(ObjectPlan.After(entered, kind, failed)));
        }

        return next.IsAlive ? new Cursor(next.Mode, ObjectMode.AfterMember, stack) : default;
    }

    protected override bool Decide(Bits failed) => frame.CanLead(entered, kind, failed);

    protected override bool DecideFinally(Bits failed)
    {
        var after = ObjectPlan.After(entered, kind, failed);
        return frame.Allows(after, full: false) && frame.Context.CanFinish(after);
    }
}
