using System.Numerics;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>A value of the template language. The set of types is closed: nothing of .NET can be reached from a template.</summary>
internal abstract class Value
{
    /// <summary>Python's name of the type, for error messages.</summary>
    public abstract string TypeName { get; }
}

internal sealed class NoneValue : Value
{
    public static readonly NoneValue Instance = new();
    public override string TypeName => "NoneType";
}

internal sealed class BoolValue : Value
{
    public static readonly BoolValue True = new(true);
    public static readonly BoolValue False = new(false);

    private BoolValue(bool value) => Value = value;

    public bool Value { get; }
    public override string TypeName => "bool";
    public static BoolValue Of(bool value) => value ? True : False;
}

/// <summary>An integer of 64 bits; its digits belong to whoever gave the number.</summary>
internal sealed class IntValue(long value, Provenance provenance = Provenance.Template) : Value
{
    private static readonly IntValue[] Small = [.. Enumerable.Range(0, 256).Select(i => new IntValue(i))];

    public long Value { get; } = value;
    public Provenance Provenance { get; } = provenance;
    public override string TypeName => "int";
    public static IntValue Of(long value) => (ulong)value < 256 ? Small[value] : new IntValue(value);
}

/// <summary>An integer of the input beyond 64 bits: it can be printed and compared, not calculated with.</summary>
internal sealed class BigIntValue(BigInteger value) : Value
{
    public BigInteger Value { get; } = value;
    public override string TypeName => "int";
}

internal sealed class FloatValue(double value, Provenance provenance = Provenance.Template) : Value
{
    public double Value { get; } = value;
    public Provenance Provenance { get; } = provenance;
    public override string TypeName => "float";
}

/// <summary>A list; the sandbox forbids changing one, so sharing is safe.</summary>
internal sealed class ListValue(List<Value> items) : Value
{
    public List<Value> Items { get; } = items;
    public override string TypeName => "list";
}

/// <param name="items">Members.</param>
/// <param name="isGroup">A result of <c>groupby</c>, whose members also answer to <c>grouper</c> and <c>list</c>.</param>
internal sealed class TupleValue(Value[] items, bool isGroup = false) : Value
{
    public Value[] Items { get; } = items;
    public bool IsGroup { get; } = isGroup;
    public override string TypeName => "tuple";
}

/// <summary>A mapping in insertion order. Keys are hashable values; 1, 1.0 and true are one key, as in Python.</summary>
internal sealed class DictValue : Value
{
    public OrderedDictionary<Value, Value> Items { get; }
    public override string TypeName => "dict";

    public DictValue() => Items = new OrderedDictionary<Value, Value>(KeyComparer.Instance);

    public DictValue(DictValue other) => Items = new OrderedDictionary<Value, Value>(other.Items, KeyComparer.Instance);
}

internal enum DictViewKind
{
    Keys,
    Values,
    Items,
}

internal sealed class DictViewValue(DictValue dict, DictViewKind kind) : Value
{
    public DictValue Dict { get; } = dict;
    public DictViewKind Kind { get; } = kind;
    public override string TypeName => Kind switch { DictViewKind.Keys => "dict_keys", DictViewKind.Values => "dict_values", _ => "dict_items" };
}

internal sealed class RangeValue(long start, long stop, long step, long count) : Value
{
    public long Start { get; } = start;
    public long Stop { get; } = stop;
    public long Step { get; } = step;
    public long Count { get; } = count;
    public override string TypeName => "range";
    public Value At(long index) => IntValue.Of(checked(Start + (index * Step)));
}

/// <summary>Something that can be walked once, as Python's generators. Generators over generators count as evaluation depth, since each step walks them all.</summary>
internal sealed class GeneratorValue(RenderState state, IEnumerator<Value> items, string typeName = "generator") : Value, IEnumerator<Value>
{
    public override string TypeName { get; } = typeName;

    public Value Current => items.Current;

    object System.Collections.IEnumerator.Current => Current;

    public bool MoveNext()
    {
        state.Enter();
        var moved = items.MoveNext();
        state.Leave();
        return moved;
    }

    public void Reset() => throw new NotSupportedException();

    public void Dispose()
    {
    }
}

/// <summary>What <c>a[1:5:2]</c> hands to the subscript.</summary>
internal sealed class SliceValue(Value start, Value stop, Value step) : Value
{
    public Value Start { get; } = start;
    public Value Stop { get; } = stop;
    public Value Step { get; } = step;
    public override string TypeName => "slice";
}

/// <summary>The one thing that a template may change.</summary>
internal sealed class NamespaceValue : Value
{
    public OrderedDictionary<string, Value> Attributes { get; } = new(StringComparer.Ordinal);
    public override string TypeName => "Namespace";
}

/// <summary>What a missing variable, attribute or element gives: it prints nothing, and every use of it fails with <see cref="Message"/>.</summary>
internal sealed class UndefinedValue : Value
{
    private readonly string? hint;
    private readonly string? owner;
    private readonly string name;

    private UndefinedValue(string? hint, string? owner, string name, ChatTemplateError reason)
        => (this.hint, this.owner, this.name, Reason) = (hint, owner, name, reason);

    public ChatTemplateError Reason { get; }
    public override string TypeName => "Undefined";

    public string Message => hint ?? (owner is null ? $"'{Shorten.Text(name)}' is undefined" : $"{owner} {Shorten.Text(name)}");

    public static UndefinedValue Variable(string name) => new(hint: null, owner: null, name, ChatTemplateError.Raised);

    public static UndefinedValue Because(string hint) => new(hint, owner: null, "", ChatTemplateError.Raised);

    public static UndefinedValue Attribute(Value owner, string name)
        => new(hint: null, $"'{ObjectName(owner)}' has no attribute", "'" + Shorten.Text(name) + "'", ChatTemplateError.Raised);

    public static UndefinedValue Element(Value owner, string index) => new(hint: null, ObjectName(owner) + " has no element", index, ChatTemplateError.Raised);

    public static UndefinedValue Unsafe(Value owner, string name)
        => new($"access to attribute '{Shorten.Text(name)}' of '{owner.TypeName}' object is unsafe.", owner: null, name, ChatTemplateError.Forbidden);

    private static string ObjectName(Value owner) => owner is NoneValue ? "None" : owner.TypeName + " object";
}

/// <summary>A method that was read and not called. It carries no receiver, so that a template can keep none of our functions.</summary>
internal sealed class MethodValue(string owner, string name) : Value
{
    public string Owner { get; } = owner;
    public string Name { get; } = name;
    public override string TypeName => "builtin_function_or_method";
}

/// <summary>A global function such as <c>range</c>.</summary>
internal sealed class FunctionValue(string name, Func<RenderState, Arguments, Value> call) : Value
{
    public string Name { get; } = name;
    public Func<RenderState, Arguments, Value> Call { get; } = call;
    public override string TypeName => "function";
}

/// <summary>The name <c>self</c>, of which nothing may be read.</summary>
internal sealed class SelfValue : Value
{
    public static readonly SelfValue Instance = new();
    public override string TypeName => "TemplateReference";
}

internal sealed class CyclerValue(Value[] items) : Value
{
    public Value[] Items { get; } = items;
    public int Position { get; set; }
    public override string TypeName => "Cycler";
}

internal sealed class JoinerValue(Value separator) : Value
{
    public Value Separator { get; } = separator;
    public bool Used { get; set; }
    public override string TypeName => "Joiner";
}

/// <summary>Equality and hashing of dict keys. Values are checked to be hashable before they get here.</summary>
internal sealed class KeyComparer : IEqualityComparer<Value>
{
    public static readonly KeyComparer Instance = new();

    public bool Equals(Value? x, Value? y) => Comparison.KeysEqual(x!, y!);

    public int GetHashCode(Value obj) => obj switch
    {
        StringValue text => text.Text.GetHashCode(StringComparison.Ordinal),
        BoolValue flag => (flag.Value ? 1.0 : 0.0).GetHashCode(),
        IntValue number => ((double)number.Value).GetHashCode(),
        BigIntValue number => ((double)number.Value).GetHashCode(),
        FloatValue number => (number.Value == 0 ? 0.0 : number.Value).GetHashCode(),
        TupleValue tuple => tuple.Items.Aggregate(17, (hash, item) => HashCode.Combine(hash, GetHashCode(item))),
        NoneValue => 7,
        UndefinedValue => 11,
        _ => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(obj),
    };
}
