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
    private const int MaxPatternSets = 256;

    private readonly Dictionary<(int Patterns, bool AnyName), int[]?> _patternSets = [];
    private readonly PropertiesAtom[] _properties;
    private readonly KeyNamesAtom[] _keyNames;
    private readonly string[] _patternSources;
    private readonly Dictionary<string, int> _patternIndex = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _nameIndex = new(StringComparer.Ordinal);
    private readonly ExprPool _pool;
    private ByteClasses? _keyClasses;

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

    /// <summary>Of a key that has been read up to here, the sets of patterns that it can still match, and no others; null where they are too many to tell.</summary>
    /// <param name="key">State of the key.</param>
    /// <param name="anyName">Keys that are not valid under a schema for keys count too.</param>
    public int[]? PatternSets(int key, bool anyName)
    {
        var patterns = _keys[key].Patterns;
        if (!_patternSets.TryGetValue((patterns, anyName), out var sets))
        {
            sets = FindPatternSets(_patternStates[patterns], anyName);
            _patternSets.Add((patterns, anyName), sets);
            Locus.Program.Charge(80 + ((sets?.Length ?? 0) * 4));
        }

        return sets;
    }

    private int[]? FindPatternSets(int[] states, bool anyName)
    {
        var names = states[0];
        for (var i = KeyNamesFrom; i < states.Length && !anyName; i++)
        {
            names = _pool.And(names, states[i]);
        }

        if (_pool.IsEmpty(names))
        {
            return [];
        }

        List<(int Set, int Left)> sets = [(0, names)];
        for (var i = 0; i < PatternCount; i++)
        {
            var pattern = states[i + 1];
            if (pattern == ExprPool.Empty)
            {
                continue;
            }

            var count = sets.Count;
            if (count > MaxPatternSets || PatternCount > 31)
            {
                return null;
            }

            var not = _pool.Not(pattern);
            for (var s = 0; s < count; s++)
            {
                var (set, left) = sets[s];
                var with = _pool.And(left, pattern);
                if (!_pool.IsEmpty(with))
                {
                    sets.Add((set | (1 << i), with));
                }

                sets[s] = (set, _pool.And(left, not));
            }

            sets.RemoveAll(s => _pool.IsEmpty(s.Left));
        }

        return [.. sets.Select(s => s.Set)];
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

    /// <summary>The kind of keys that are not known and match no pattern; those without patterns only, where <paramref name="pattern"/> is given those that match this one alone.</summary>
    public KeyClass ClassOfOthers(int pattern = 0)
    {
        var matched = new int[_patternStates[_keys[Start].Patterns].Length];
        for (var i = KeyNamesFrom; i < matched.Length; i++)
        {
            matched[i] = 1;
        }

        if (pattern > 0)
        {
            matched[pattern] = 1;
        }

        return ClassOf(-1, matched);
    }

    /// <summary>The kind of keys that are not known and match exactly the patterns of a set.</summary>
    public KeyClass ClassOfSet(int set)
    {
        var matched = new int[_patternStates[_keys[Start].Patterns].Length];
        for (var i = KeyNamesFrom; i < matched.Length; i++)
        {
            matched[i] = 1;
        }

        for (var i = 0; i < PatternCount; i++)
        {
            matched[i + 1] = (set >> i) & 1;
        }

        return ClassOf(-1, matched);
    }

    /// <summary>Whether the whole can be true with a key that is not valid under a schema for keys.</summary>
    public bool MayFailNames(Requirement requirement, ObjectState state)
    {
        if (_keyNames.Length == 0)
        {
            return false;
        }

        var failed = state.Failed;
        foreach (var atom in _keyNames)
        {
            failed = failed.With(Index(atom));
        }

        var truths = Locus.Program.Truths;
        Assess(state with { Failed = failed }, closed: false, Bits.None, full: false, truths);
        var goals = Bits.None;
        for (var i = 0; i < Formulas.Length; i++)
        {
            if (Formulas[i].Evaluate(truths) == Truth.False)
            {
                goals = goals.With(i);
            }
        }

        return requirement.Allows(goals);
    }

    public int PatternCount => KeyNamesFrom - 1;

    public bool HasKeyNames => _keyNames.Length > 0;

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
internal readonly record struct ObjectState(Bits Failed, Bits Seen, int Count, string Others);
