namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>Types of JSON values, as a set.</summary>
[Flags]
internal enum JsonTypes : byte
{
    None = 0,
    Null = 1,
    False = 2,
    True = 4,
    Number = 8,
    String = 16,
    Object = 32,
    Array = 64,
    Boolean = False | True,
    All = 127,
}

/// <summary>One assertion about a value.</summary>
internal abstract class Atom(int id)
{
    /// <summary>Unique in its program, from zero.</summary>
    public int Id { get; } = id;

    /// <summary>The type of values it looks at; for <see cref="TypeAtom"/> all.</summary>
    public abstract JsonTypes Looks { get; }
}

/// <summary>The value is of one of these types.</summary>
internal sealed class TypeAtom(int id, JsonTypes types) : Atom(id)
{
    public override JsonTypes Looks => JsonTypes.All;

    public JsonTypes Types { get; } = types;
}

/// <summary>The text is of a language; an expression over its decoded bytes.</summary>
internal sealed class StringAtom(int id, Func<int> expression) : Atom(id)
{
    private int _expression = -1;

    public override JsonTypes Looks => JsonTypes.String;

    public int Expression => _expression >= 0 ? _expression : _expression = expression();
}

/// <summary>The number is of a language; an expression over its digits, written without an exponent.</summary>
internal sealed class NumberAtom(int id, Func<int> expression) : Atom(id)
{
    private int _expression = -1;

    public override JsonTypes Looks => JsonTypes.Number;

    public int Expression => _expression >= 0 ? _expression : _expression = expression();
}

/// <summary>The object has this key.</summary>
internal sealed class KeyAtom(int id, string name) : Atom(id)
{
    public override JsonTypes Looks => JsonTypes.Object;

    public string Name { get; } = name;
}

/// <summary>The values of an object's keys are valid: by name, by patterns, and for all others.</summary>
internal sealed class PropertiesAtom(int id) : Atom(id)
{
    public override JsonTypes Looks => JsonTypes.Object;

    public Dictionary<string, Goal> Names { get; } = new(StringComparer.Ordinal);

    public List<(string Pattern, Func<int> Expression, Goal Goal)> Patterns { get; } = [];

    public Goal? Others { get; set; }
}

/// <summary>The keys of an object are valid, as strings.</summary>
internal sealed class KeyNamesAtom(int id, Goal goal) : Atom(id)
{
    public override JsonTypes Looks => JsonTypes.Object;

    public Goal Goal { get; } = goal;
}

/// <summary>At least, or at most, so many members or items.</summary>
internal sealed class CountAtom(int id, bool ofObject, bool isMax, int limit) : Atom(id)
{
    public override JsonTypes Looks => ofObject ? JsonTypes.Object : JsonTypes.Array;

    public bool IsMax { get; } = isMax;

    public int Limit { get; } = limit;
}

/// <summary>The items of an array are valid: the first ones each by its own schema, the others by one.</summary>
internal sealed class ItemsAtom(int id) : Atom(id)
{
    public override JsonTypes Looks => JsonTypes.Array;

    public List<Goal> Prefix { get; } = [];

    public Goal? Others { get; set; }
}

/// <summary>So many items are valid under a schema.</summary>
internal sealed class ContainsAtom(int id, Goal goal, int min, int max) : Atom(id)
{
    public override JsonTypes Looks => JsonTypes.Array;

    public Goal Goal { get; } = goal;

    public int Min { get; } = min;

    public int Max { get; } = max;
}

/// <summary>No two items are equal.</summary>
internal sealed class UniqueAtom(int id) : Atom(id)
{
    public override JsonTypes Looks => JsonTypes.Array;
}

/// <summary>One schema, to be true or false of a value. Its formula is set once, when it is compiled; schemas may refer to themselves.</summary>
internal sealed class Goal(int id)
{
    private static readonly JsonTypes[] s_types = [JsonTypes.Null, JsonTypes.False, JsonTypes.True, JsonTypes.Number, JsonTypes.String, JsonTypes.Object, JsonTypes.Array];

    private readonly Dictionary<JsonTypes, Formula> _projections = [];
    private bool? _isFalse;

    public int Id { get; } = id;

    public Formula Formula { get; set; } = Formula.True;

    /// <summary>No value of any type can satisfy it, as far as its form tells.</summary>
    public bool IsFalse => Formula.IsFalse || (_isFalse ??= Array.TrueForAll(s_types, type => Project(type).IsFalse));

    /// <summary>What it says about values of one type: the atoms that look at others are true.</summary>
    public Formula Project(JsonTypes type)
    {
        if (!_projections.TryGetValue(type, out var formula))
        {
            formula = Formula.Map(atom => atom is TypeAtom t ? (t.Types & type) != JsonTypes.None ? Formula.True : Formula.False : atom.Looks == type ? Formula.Of(atom) : Formula.True, []);
            _projections.Add(type, formula);
        }

        return formula;
    }
}
