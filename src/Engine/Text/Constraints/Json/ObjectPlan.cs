using System.Text;
using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>What the schemas of a place say about objects there: their keys in order, the patterns that keys are matched with, and for each kind of key the schemas of its value.</summary>
internal sealed class ObjectPlan
{
    private readonly Dictionary<(int Name, VectorKey Matched), KeyClass> _classes = [];
    private readonly List<int[]> _patternStates = [];
    private readonly Dictionary<VectorKey, int> _patternIds = [];
    private readonly List<(int Low, int High, int Depth, int Patterns)> _keys = [];
    private readonly Dictionary<(int, int, int, int), int> _keyIds = [];
    private readonly Dictionary<(int, byte), int> _next = [];
    private readonly Dictionary<int, int[]> _rows = [];
    private const int MaxKinds = 256;

    private readonly Dictionary<int, KeyClass[]?> _kinds = [];
    private readonly PropertiesAtom[] _properties;
    private readonly KeyNamesAtom[] _keyNames;
    private readonly string[] _patternSources;
    private readonly Dictionary<string, int> _patternIndex = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _nameIndex = new(StringComparer.Ordinal);
    private readonly ExprPool _pool;
    private ByteClasses? _keyClasses;
    private bool? _needsSearch;
    private int[]? _asked;

    public ObjectPlan(Locus locus)
    {
        Locus = locus;
        _pool = locus.Program.Pool;
        Formulas = [.. locus.Goals.Select(g => g.Project(JsonTypes.Object))];
        HashSet<Atom> atoms = [];
        HashSet<Formula> seen = [];
        foreach (var formula in Formulas)
        {
            formula.CollectAtoms(atoms, seen);
        }

        var ordered = atoms.OrderBy(a => a.Id).ToArray();
        _properties = [.. ordered.OfType<PropertiesAtom>()];
        _keyNames = [.. ordered.OfType<KeyNamesAtom>()];
        Keys = [.. ordered.OfType<KeyAtom>()];
        Counts = [.. ordered.OfType<CountAtom>()];
        MaxCount = Counts.Select(c => c.Limit + 1).DefaultIfEmpty(0).Max();
        // A key that comes twice, which JSON discourages, counts once where a least number is asked for; an upper bound it may use up.
        TracksKeys = Counts.Any(c => c.Limit > 1 && !c.IsMax && !Array.Exists(Formulas, f => Implies(f, c)));
        string[] names = [.. _properties.SelectMany(p => p.Names.Keys).Concat(Keys.Select(k => k.Name)).Distinct(StringComparer.Ordinal)];
        Names = [.. names.Select(Encoding.UTF8.GetBytes)];
        Array.Sort(Names, names, Comparer<byte[]>.Create(static (a, b) => a.AsSpan().SequenceCompareTo(b)));
        for (var i = 0; i < names.Length; i++)
        {
            _nameIndex.Add(names[i], i);
        }

        Texts = names;
        List<int> patterns = [_pool.AnyText];
        List<string> sources = [""];
        foreach (var (pattern, expression, _) in _properties.SelectMany(p => p.Patterns))
        {
            if (_patternIndex.TryAdd(pattern, patterns.Count))
            {
                patterns.Add(expression());
                sources.Add(pattern);
            }
        }

        _patternSources = [.. sources];
        KeyNamesFrom = patterns.Count;
        patterns.AddRange(_keyNames.Select(k => locus.Program.StringExpression(k.Goal)));
        HasPatterns = patterns.Count > 1;
        Start = Key(0, Names.Length, 0, Patterns([.. patterns]));
    }

    public Locus Locus { get; }

    public Formula[] Formulas { get; }

    /// <summary>Known keys, ascending by bytes.</summary>
    public byte[][] Names { get; }

    /// <summary>The same as text.</summary>
    public string[] Texts { get; }

    public KeyAtom[] Keys { get; }

    public CountAtom[] Counts { get; }

    /// <summary>Members are counted up to this.</summary>
    public int MaxCount { get; }

    /// <summary>Keys that are not known by name are told apart too: they are counted.</summary>
    public bool TracksKeys { get; }

    /// <summary>The largest least number of members.</summary>
    public int LeastCount => Counts.Where(c => !c.IsMax).Select(c => c.Limit).DefaultIfEmpty(0).Max();

    /// <summary>Keys are matched with patterns, or are strings under a schema.</summary>
    public bool HasPatterns { get; }

    /// <summary>State before a key.</summary>
    public int Start { get; }

    /// <summary>Bytes that patterns and schemas of keys never tell apart.</summary>
    public ByteClasses Classes => _keyClasses ??= _pool.ClassesOf(Expressions(Start));

    private int KeyNamesFrom { get; }

    public int NameIndex(string name) => _nameIndex[name];

    /// <summary>State of a key after a byte of its text; -1 where it is no text.</summary>
    public int Next(int key, byte b)
    {
        var (low, high, depth, patterns) = _keys[key];
        // Only states that many keys lead to have a table.
        var row = low < high ? null : RowOf(key);
        int next;
        if (row is not null ? (next = row[b]) != int.MinValue : _next.TryGetValue((key, b), out next))
        {
            return next;
        }

        var states = _patternStates[patterns];
        var text = _pool.Next(states[0], b);
        if (text == ExprPool.Empty)
        {
            next = -1;
        }
        else
        {
            var after = new int[states.Length];
            after[0] = text;
            for (var i = 1; i < states.Length; i++)
            {
                after[i] = _pool.Next(states[i], b);
            }

            while (low < high && (Names[low].Length <= depth || Names[low][depth] < b))
            {
                low++;
            }

            var end = low;
            while (end < high && Names[end][depth] == b)
            {
                end++;
            }

            next = low < end ? Key(low, end, depth + 1, Patterns(after)) : Key(0, 0, 0, Patterns(after));
        }

        if (row is not null)
        {
            return row[b] = next;
        }

        _next.Add((key, b), next);
        Locus.Program.Charge(48);
        return next;
    }

    private int[] RowOf(int key)
    {
        if (!_rows.TryGetValue(key, out var row))
        {
            _rows.Add(key, row = new int[256]);
            Array.Fill(row, int.MinValue);
            Locus.Program.Charge(1_080);
        }

        return row;
    }

    /// <summary>Known keys that a key may still become: indices from Low to High.</summary>
    public (int Low, int High, int Depth) Candidates(int key)
    {
        var (low, high, depth, _) = _keys[key];
        return (low, high, depth);
    }

    /// <summary>The same state as if no key were known by name.</summary>
    public int WithoutNames(int key) => Key(0, 0, 0, _keys[key].Patterns);

    /// <summary>The key is at the start of a character, and patterns do not matter.</summary>
    public bool IsPlain(int key) => !HasPatterns && _patternStates[_keys[key].Patterns][0] == _pool.AnyText;

    public bool IsBeforeCharacter(int key) => _patternStates[_keys[key].Patterns][0] == _pool.AnyText;

    /// <summary>Expressions that are matched: text itself, patterns, schemas of keys.</summary>
    public ReadOnlySpan<int> Expressions(int key) => _patternStates[_keys[key].Patterns];

    /// <summary>Of a key that has been read up to here, the kinds that it can still become if it is none that is known by name; null where they are too many to tell.</summary>
    public KeyClass[]? OtherKinds(int key)
    {
        var patterns = _keys[key].Patterns;
        if (!_kinds.TryGetValue(patterns, out var kinds))
        {
            kinds = FindKinds(_patternStates[patterns]);
            _kinds.Add(patterns, kinds);
            Locus.Program.Charge(80 + ((kinds?.Length ?? 0) * 8));
        }

        return kinds;
    }

    private KeyClass[]? FindKinds(int[] states)
    {
        List<(int[] Matched, int Left)> kinds = [(new int[states.Length], states[0])];
        for (var i = 1; i < states.Length; i++)
        {
            if (states[i] == ExprPool.Empty)
            {
                continue;
            }

            if (kinds.Count > MaxKinds)
            {
                return null;
            }

            var not = _pool.Not(states[i]);
            for (var k = kinds.Count - 1; k >= 0; k--)
            {
                var (matched, left) = kinds[k];
                var with = _pool.And(left, states[i]);
                if (!_pool.IsEmpty(with))
                {
                    var also = (int[])matched.Clone();
                    also[i] = 1;
                    kinds.Add((also, with));
                }

                kinds[k] = (matched, _pool.And(left, not));
            }

            kinds.RemoveAll(k => _pool.IsEmpty(k.Left));
        }

        return [.. kinds.Where(k => !_pool.IsEmpty(k.Left)).Select(k => ClassOf(-1, k.Matched))];
    }

    /// <summary>What kind of key it is when it ends here; null where it ends within a character.</summary>
    public KeyClass? Class(int key)
    {
        var (low, high, depth, patterns) = _keys[key];
        var states = _patternStates[patterns];
        if (!_pool.Nullable(states[0]))
        {
            return null;
        }

        var matched = new int[states.Length];
        for (var i = 1; i < states.Length; i++)
        {
            matched[i] = _pool.Nullable(states[i]) ? 1 : 0;
        }

        return ClassOf(low < high && Names[low].Length == depth ? low : -1, matched);
    }

    /// <summary>The kind of a known key.</summary>
    public KeyClass ClassOfName(int name)
    {
        var key = Start;
        foreach (var b in Names[name])
        {
            key = Next(key, b);
        }

        return Class(key)!;
    }

    private KeyClass ClassOf(int name, int[] matched)
    {
        var key = (name, new VectorKey(matched));
        if (_classes.TryGetValue(key, out var known))
        {
            return known;
        }

        List<Goal> goals = [];
        List<(int Atom, Bits Goals)> atoms = [];
        var failing = Bits.None;
        foreach (var atom in _properties)
        {
            List<Goal> own = [];
            if (name >= 0 && atom.Names.TryGetValue(Texts[name], out var named))
            {
                own.Add(named);
            }

            foreach (var (pattern, _, goal) in atom.Patterns)
            {
                if (matched[_patternIndex[pattern]] != 0)
                {
                    own.Add(goal);
                }
            }

            if (own.Count == 0 && atom.Others is { } others)
            {
                own.Add(others);
            }

            var indices = Bits.None;
            foreach (var goal in own)
            {
                if (goal.Formula.IsTrue)
                {
                    continue;
                }

                var index = goals.IndexOf(goal);
                if (index < 0)
                {
                    index = goals.Count;
                    goals.Add(goal);
                }

                indices = indices.With(index);
            }

            if (!indices.IsEmpty)
            {
                atoms.Add((atom.Id, indices));
            }
        }

        for (var i = 0; i < _keyNames.Length; i++)
        {
            if (matched[KeyNamesFrom + i] == 0)
            {
                failing = failing.With(Index(_keyNames[i]));
            }
        }

        // The order of the goals is that of the place, so that equal sets are one.
        var locus = Locus.Program.LocusOf(goals);
        var order = goals.Select(g => Array.IndexOf(locus.Goals, g)).ToArray();
        var never = Bits.None;
        List<(int Atom, Bits Goals)> mapped = [];
        foreach (var (atom, indices) in atoms)
        {
            var bits = Bits.None;
            for (var i = 0; i < goals.Count; i++)
            {
                if (indices[i])
                {
                    bits = bits.With(order[i]);
                }
            }

            mapped.Add((Index(atom), bits));
        }

        for (var i = 0; i < locus.Goals.Length; i++)
        {
            if (locus.Goals[i].IsFalse)
            {
                never = never.With(i);
            }
        }

        known = new KeyClass(_classes.Count, name, locus, mapped, failing, never);
        _classes.Add(key, known);
        return known;
    }

    /// <summary>Index of an atom that can fail, within the states of this plan.</summary>
    private int Index(Atom atom) => Index(atom.Id);

    private int Index(int id)
    {
        for (var i = 0; i < _properties.Length; i++)
        {
            if (_properties[i].Id == id)
            {
                return i;
            }
        }

        return _properties.Length + Array.FindIndex(_keyNames, k => k.Id == id);
    }

    /// <summary>Writes what is known of the atoms of this plan.</summary>
    /// <param name="state">What was seen of the object.</param>
    /// <param name="closed">Nothing more comes.</param>
    /// <param name="never">Known keys that cannot come any more.</param>
    /// <param name="full">No key can come any more.</param>
    /// <param name="truths">By the atoms' numbers.</param>
    public void Assess(ObjectState state, bool closed, Bits never, bool full, Truth[] truths)
    {
        var holds = closed ? Truth.True : Truth.Open;
        var i = 0;
        foreach (var atom in _properties)
        {
            truths[atom.Id] = state.Failed[i++] ? Truth.False : holds;
        }

        foreach (var atom in _keyNames)
        {
            truths[atom.Id] = state.Failed[i++] ? Truth.False : holds;
        }

        foreach (var atom in Keys)
        {
            var name = _nameIndex[atom.Name];
            truths[atom.Id] = state.Seen[name] ? Truth.True : closed || full || never[name] ? Truth.False : Truth.Open;
        }

        foreach (var atom in Counts)
        {
            truths[atom.Id] = atom.IsMax
                ? state.Count > atom.Limit ? Truth.False : holds
                : state.Count >= atom.Limit ? Truth.True : closed || full ? Truth.False : Truth.Open;
        }
    }

    /// <summary>Goals of which a state shows that they are false; of an object that is closed, those that are not true.</summary>
    public Bits Failed(ObjectState state, bool closed, Bits never, bool full)
    {
        if (Formulas.Length == 0)
        {
            return Bits.None;
        }

        var truths = Locus.Program.Truths;
        Assess(state, closed, never, full, truths);
        var failed = Bits.None;
        for (var i = 0; i < Formulas.Length; i++)
        {
            var truth = Formulas[i].Evaluate(truths);
            if (truth == Truth.False || (closed && truth == Truth.Open))
            {
                failed = failed.With(i);
            }
        }

        return failed;
    }

    /// <summary>The state with a key begun that has not come before.</summary>
    /// <param name="state">Before it.</param>
    /// <param name="kind">Kind of the key.</param>
    /// <param name="key">The key itself, where keys are counted and it is not known by name.</param>
    public ObjectState Enter(ObjectState state, KeyClass kind, string key)
    {
        if (kind.Name >= 0)
        {
            state = state with { Seen = state.Seen.With(kind.Name) };
        }
        else if (TracksKeys && key.Length > 0)
        {
            var others = state.Others.Length == 0 ? [] : state.Others.Split('\0').ToList();
            others.Add(key);
            others.Sort(StringComparer.Ordinal);
            state = state with { Others = string.Join('\0', others) };
        }

        return state with { Count = Math.Min(state.Count + 1, MaxCount), Failed = state.Failed.Or(kind.Failing) };
    }

    /// <summary>What the object is after a key with a value of which these goals are false.</summary>
    public static ObjectState After(ObjectState entered, KeyClass kind, Bits failed)
    {
        var atoms = entered.Failed;
        foreach (var (atom, goals) in kind.Atoms)
        {
            for (var i = 0; i < kind.Locus.Goals.Length; i++)
            {
                if (goals[i] && failed[i])
                {
                    atoms = atoms.With(atom);
                    break;
                }
            }
        }

        return entered with { Failed = atoms };
    }

    /// <summary>Whether a choice of keys can lead where nothing can follow, though nothing is false yet: members are bounded, or something about them must be false.</summary>
    public bool NeedsSearch => _needsSearch ??= Counts.Any(c => c.IsMax) || Formulas.Any(f => MustFail(f, false));

    private static bool MustFail(Formula formula, bool isBelowNot)
    {
        Deep.Check();
        return formula.Kind switch
        {
            FormulaKind.Atom => isBelowNot && formula.Atom is PropertiesAtom or KeyNamesAtom,
            FormulaKind.Not => MustFail(formula.Parts[0], true),
            _ => Array.Exists(formula.Parts, p => MustFail(p, isBelowNot)),
        };
    }

    /// <summary>Kinds of keys that may come next: those known by name, the ones that are asked for first, and the others as far as they can be told.</summary>
    public IEnumerable<KeyClass> KindsLeft(ObjectState state)
    {
        _asked ??= [.. Keys.Select(k => _nameIndex[k.Name]).Distinct()];
        foreach (var name in _asked)
        {
            if (!state.Seen[name])
            {
                yield return ClassOfName(name);
            }
        }

        foreach (var kind in OtherKinds(Start) ?? [])
        {
            yield return kind;
        }

        for (var i = 0; i < Names.Length; i++)
        {
            if (!state.Seen[i] && Array.IndexOf(_asked, i) < 0)
            {
                yield return ClassOfName(i);
            }
        }
    }

    /// <summary>Whether <see cref="KindsLeft"/> gives them all.</summary>
    public bool KnowsKinds => OtherKinds(Start) is not null;

    /// <summary>Whether the keys that must be there are as many as the least number already.</summary>
    private static bool Implies(Formula formula, CountAtom count)
        => formula.Kind == FormulaKind.And && formula.Parts.Any(p => p.Atom == count) && formula.Parts.Count(p => p.Atom is KeyAtom) >= count.Limit;

    private int Key(int low, int high, int depth, int patterns)
    {
        if (!_keyIds.TryGetValue((low, high, depth, patterns), out var id))
        {
            _keyIds.Add((low, high, depth, patterns), id = _keys.Count);
            _keys.Add((low, high, depth, patterns));
        }

        return id;
    }

    private int Patterns(int[] states)
    {
        var key = new VectorKey(states);
        if (!_patternIds.TryGetValue(key, out var id))
        {
            _patternIds.Add(key, id = _patternStates.Count);
            _patternStates.Add(states);
        }

        return id;
    }
}

/// <summary>A kind of key: keys of one kind have the same schemas for their values.</summary>
/// <param name="Id">Unique in its plan.</param>
/// <param name="Name">Index of the known key, or -1.</param>
/// <param name="Locus">The schemas of the value.</param>
/// <param name="Atoms">For each atom that can fail, the schemas any of which makes it fail.</param>
/// <param name="Failing">Atoms that fail because of the key itself.</param>
/// <param name="Never">Schemas of the value that nothing can satisfy.</param>
internal sealed record KeyClass(int Id, int Name, Locus Locus, IReadOnlyList<(int Atom, Bits Goals)> Atoms, Bits Failing, Bits Never);

/// <summary>What was seen of an object: assertions that failed, known keys that came, how many members, and where it matters the other keys.</summary>
internal readonly record struct ObjectState(Bits Failed, Bits Seen, int Count, string Others)
{
    public bool HasOther(string key) => Others.Length > 0 && Others.Split('\0').Contains(key, StringComparer.Ordinal);
}
