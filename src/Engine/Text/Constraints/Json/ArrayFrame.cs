namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>What the schemas of a place say about arrays there.</summary>
internal sealed class ArrayPlan
{
    private readonly ItemsAtom[] _items;
    private readonly CountAtom[] _counts;
    private readonly UniqueAtom[] _unique;
    private readonly Dictionary<int, ItemClass> _classes = [];

    public ArrayPlan(Locus locus)
    {
        Locus = locus;
        Formulas = [.. locus.Goals.Select(g => g.Project(JsonTypes.Array))];
        HashSet<Atom> atoms = [];
        HashSet<Formula> seen = [];
        foreach (var formula in Formulas)
        {
            formula.CollectAtoms(atoms, seen);
        }

        var ordered = atoms.OrderBy(a => a.Id).ToArray();
        _items = [.. ordered.OfType<ItemsAtom>()];
        _counts = [.. ordered.OfType<CountAtom>()];
        Contains = [.. ordered.OfType<ContainsAtom>()];
        _unique = [.. ordered.OfType<UniqueAtom>()];
        var prefix = _items.Select(i => i.Prefix.Count).DefaultIfEmpty(0).Max();
        MaxIndex = Math.Max(prefix, _counts.Select(c => c.Limit + 1).DefaultIfEmpty(0).Max());
        Prefix = prefix;
    }

    public Locus Locus { get; }

    public Formula[] Formulas { get; }

    public ContainsAtom[] Contains { get; }

    public bool IsUnique => _unique.Length > 0;

    /// <summary>Items are counted up to this.</summary>
    public int MaxIndex { get; }

    public int Prefix { get; }

    /// <summary>Index of the atom, within the states of this plan, that fails when two items are equal.</summary>
    public int UniqueIndex => _items.Length;

    public ItemClass ClassOf(int index)
    {
        index = Math.Min(index, Prefix);
        if (_classes.TryGetValue(index, out var known))
        {
            return known;
        }

        List<Goal> goals = [];
        var own = new Goal?[_items.Length];
        for (var i = 0; i < _items.Length; i++)
        {
            own[i] = index < _items[i].Prefix.Count ? _items[i].Prefix[index] : _items[i].Others;
            if (own[i] is { Formula.IsTrue: false } goal && !goals.Contains(goal))
            {
                goals.Add(goal);
            }
        }

        foreach (var contains in Contains)
        {
            if (!contains.Goal.Formula.IsTrue && !goals.Contains(contains.Goal))
            {
                goals.Add(contains.Goal);
            }
        }

        var locus = Locus.Program.LocusOf(goals);
        int Of(Goal? goal) => goal is null || goal.Formula.IsTrue ? -1 : Array.IndexOf(locus.Goals, goal);
        var never = Bits.None;
        for (var i = 0; i < locus.Goals.Length; i++)
        {
            never = locus.Goals[i].IsFalse ? never.With(i) : never;
        }

        known = new ItemClass(index, locus, [.. own.Select(Of)], [.. Contains.Select(c => Of(c.Goal))], never);
        _classes.Add(index, known);
        return known;
    }

    public void Assess(ArrayState state, bool closed, bool full, Truth[] truths)
    {
        var holds = closed ? Truth.True : Truth.Open;
        for (var i = 0; i < _items.Length; i++)
        {
            truths[_items[i].Id] = state.Failed[i] ? Truth.False : holds;
        }

        foreach (var atom in _unique)
        {
            truths[atom.Id] = state.Failed[UniqueIndex] ? Truth.False : holds;
        }

        foreach (var atom in _counts)
        {
            truths[atom.Id] = atom.IsMax
                ? state.Index > atom.Limit ? Truth.False : holds
                : state.Index >= atom.Limit ? Truth.True : closed || full ? Truth.False : Truth.Open;
        }

        for (var i = 0; i < Contains.Length; i++)
        {
            var (atom, count) = (Contains[i], state.Contained(i));
            truths[atom.Id] = count > atom.Max ? Truth.False
                : count >= atom.Min ? closed || full || atom.Max == int.MaxValue ? Truth.True : Truth.Open
                : closed || full ? Truth.False : Truth.Open;
        }
    }
}

/// <summary>Items whose values have the same schemas.</summary>
/// <param name="Index">From here on, where it is the last.</param>
/// <param name="Locus">The schemas.</param>
/// <param name="Items">For each atom of items its schema among them, or -1.</param>
/// <param name="Contains">For each atom of contained items its schema among them, or -1.</param>
/// <param name="Never">Schemas that nothing can satisfy.</param>
internal sealed record ItemClass(int Index, Locus Locus, int[] Items, int[] Contains, Bits Never);

/// <summary>What was seen of an array: how many items, assertions that failed, items counted for each assertion that counts, and where it matters the items.</summary>
internal readonly record struct ArrayState(int Index, Bits Failed, string Counts, ItemSet? Items)
{
    public int Contained(int index) => index < Counts.Length ? Counts[index] : 0;
}

/// <summary>The items of an array so far, in a form in which equal ones are equal.</summary>
internal sealed class ItemSet(ItemSet? before, string item)
{
    private readonly Dictionary<string, ItemSet> _next = new(StringComparer.Ordinal);

    public bool Has(string other)
    {
        for (ItemSet? at = this; at is not null; at = at.Before)
        {
            if (string.Equals(at.Item, other, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    public ItemSet? Before { get; } = before;

    /// <summary>Bytes of the item, where it is a string.</summary>
    public byte[]? Text { get; } = item.StartsWith('"') ? System.Text.Encoding.UTF8.GetBytes(item[(item.IndexOf(':', StringComparison.Ordinal) + 1)..]) : null;

    private string Item { get; } = item;

    public ItemSet With(string other) => _next.TryGetValue(other, out var next) ? next : _next[other] = new ItemSet(this, other);
}

/// <summary>An array being read, between its items. Frames are shared by all arrays of the same state in the same context.</summary>
internal sealed class ArrayFrame
{
    private readonly ArrayPlan _plan;
    private readonly bool _full;
    private ItemSlot? _slot;
    private Bits? _closing;
    private bool? _isAlive;
    private ArrayMode? _mode;

    public ArrayFrame(Context context, ArrayState state)
    {
        (Context, State, _plan) = (context, state, context.Locus.Array);
        CanOpen = Allows(state, full: false);
        _full = !Allows(Entered, full: false);
        CanOpen &= !_full || Allows(state, full: true);
    }

    public Context Context { get; }

    public ArrayState State { get; }

    public ArrayPlan Plan => _plan;

    public ArrayMode Mode => _mode ??= new ArrayMode(this);

    public bool CanOpen { get; }

    public bool IsAlive => _isAlive ??= CanOpen && (!_full || CanClose(out _));

    /// <summary>Where the next item leads back to; null where none may come.</summary>
    public ItemSlot? Next => _full ? null : _slot ??= new ItemSlot(this, Kind);

    private ItemClass Kind => _plan.ClassOf(State.Index);

    /// <summary>The state with one more item begun.</summary>
    private ArrayState Entered => After(State with { Index = Math.Min(State.Index + 1, _plan.MaxIndex) }, Kind, Kind.Never);

    public bool CanClose(out Bits failed)
    {
        _closing ??= Failed(State, closed: true, full: true);
        failed = _closing.Value;
        return Context.Requirement.Accepts(failed);
    }

    public bool Allows(ArrayState state, bool full) => Context.Requirement.Allows(Failed(state, closed: false, full));

    /// <summary>Whether an item of which these goals are false may come.</summary>
    public bool AllowsItem(Bits failed) => Allows(After(State with { Index = Math.Min(State.Index + 1, _plan.MaxIndex) }, Kind, failed), full: false);

    /// <summary>The array behind an item.</summary>
    /// <param name="failed">Goals that are false of it.</param>
    /// <param name="item">The item, where items must differ.</param>
    public ArrayFrame Behind(Bits failed, string? item)
    {
        var state = After(State with { Index = Math.Min(State.Index + 1, _plan.MaxIndex) }, Kind, failed);
        if (_plan.Contains.Length > 0)
        {
            var counts = new char[_plan.Contains.Length];
            for (var i = 0; i < counts.Length; i++)
            {
                var goal = Kind.Contains[i];
                var limit = _plan.Contains[i].Max == int.MaxValue ? _plan.Contains[i].Min : _plan.Contains[i].Max + 1;
                counts[i] = (char)Math.Min(limit, State.Contained(i) + (goal >= 0 && failed[goal] ? 0 : 1));
            }

            state = state with { Counts = new string(counts) };
        }

        if (item is not null)
        {
            state = state.Items is { } items && items.Has(item)
                ? state with { Failed = state.Failed.With(_plan.UniqueIndex) }
                : state with { Items = (state.Items ?? Context.Program.NoItems).With(item) };
        }

        return Context.Array(state);
    }

    private ArrayState After(ArrayState state, ItemClass kind, Bits failed)
    {
        var atoms = state.Failed;
        for (var i = 0; i < kind.Items.Length; i++)
        {
            if (kind.Items[i] >= 0 && failed[kind.Items[i]])
            {
                atoms = atoms.With(i);
            }
        }

        return state with { Failed = atoms };
    }

    private Bits Failed(ArrayState state, bool closed, bool full)
    {
        if (_plan.Formulas.Length == 0)
        {
            return Bits.None;
        }

        var truths = Context.Program.Truths;
        _plan.Assess(state, closed, full, truths);
        var failed = Bits.None;
        for (var i = 0; i < _plan.Formulas.Length; i++)
        {
            var truth = _plan.Formulas[i].Evaluate(truths);
            if (truth == Truth.False || (closed && truth == Truth.Open))
            {
                failed = failed.With(i);
            }
        }

        return failed;
    }
}

/// <summary>An item: leads back to its array.</summary>
internal sealed class ItemSlot(ArrayFrame frame, ItemClass kind) : Slot
{
    private readonly Dictionary<Bits, ArrayFrame> _after = [];
    private Context? _context;

    public ArrayFrame Frame => frame;

    public Context Context => _context ??= ContextFor(kind.Locus);

    public override Cursor Return(Bits failed, ReturnStack? stack)
    {
        if (!_after.TryGetValue(failed, out var next))
        {
            _after.Add(failed, next = frame.Behind(failed, item: null));
        }

        return Behind(next, stack);
    }

    public Cursor Return(Bits failed, string item, ReturnStack? stack) => Behind(frame.Behind(failed, item), stack);

    protected override bool Decide(Bits failed) => frame.AllowsItem(failed);

    private static Cursor Behind(ArrayFrame next, ReturnStack? stack) => next.IsAlive ? new Cursor(next.Mode, ArrayMode.AfterItem, stack) : default;
}
