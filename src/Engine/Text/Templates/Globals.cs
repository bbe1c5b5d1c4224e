using System.Collections.Frozen;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Functions that every template finds.</summary>
internal static class Globals
{
    private static readonly FrozenDictionary<string, Value> Known = new Value[]
    {
        new FunctionValue("range", Range),
        new FunctionValue("dict", Dict),
        new FunctionValue("namespace", Namespace),
        new FunctionValue("cycler", Cycler),
        new FunctionValue("joiner", Joiner),
        new FunctionValue("raise_exception", RaiseException),
        new FunctionValue("strftime_now", StrftimeNow),
    }.ToFrozenDictionary(value => ((FunctionValue)value).Name, StringComparer.Ordinal);

    public static Value? Find(string name) => name == "self" ? SelfValue.Instance : Known.GetValueOrDefault(name);

    private static RangeValue Range(RenderState state, Arguments arguments)
    {
        var bound = arguments.Plain(state, "range", 1, 3);
        var start = bound.Length == 1 ? 0 : Numbers.Integer(state, bound[0]);
        var stop = Numbers.Integer(state, bound[bound.Length == 1 ? 0 : 1]);
        var step = bound.Length == 3 ? Numbers.Integer(state, bound[2]) : 1;
        if (step == 0)
        {
            throw state.Raise("range() arg 3 must not be zero");
        }

        var distance = step > 0 ? (Int128)stop - start : (Int128)start - stop;
        var count = distance <= 0 ? 0 : ((distance - 1) / Int128.Abs(step)) + 1;
        if (count > Budget.Range)
        {
            throw state.Limit($"range of {count} members; the limit is {Budget.Range}");
        }

        return new RangeValue(start, stop, step, (long)count);
    }

    private static DictValue Dict(RenderState state, Arguments arguments)
    {
        var dict = new DictValue();
        foreach (var (key, value) in Pairs(state, "dict", arguments))
        {
            dict.Items[Comparison.Hashable(state, key)] = value;
        }

        return dict;
    }

    private static NamespaceValue Namespace(RenderState state, Arguments arguments)
    {
        var result = new NamespaceValue();
        foreach (var (key, value) in Pairs(state, "namespace", arguments))
        {
            result.Attributes[key is StringValue name ? name.Text : throw state.Raise("names of a namespace must be strings")] = value;
        }

        return result;
    }

    // A mapping or a sequence of pairs, then keywords: what Python's dict() takes.
    private static List<(Value Key, Value Value)> Pairs(RenderState state, string callee, Arguments arguments)
    {
        var pairs = new List<(Value, Value)>();
        if (arguments.Positional.Length > 1)
        {
            throw state.Raise($"{callee} expected at most 1 argument, got {arguments.Positional.Length}");
        }

        if (arguments.Positional is [DictValue dict])
        {
            state.CheckElements(dict.Items.Count);
            pairs.AddRange(dict.Items.Select(pair => (pair.Key, pair.Value)));
        }
        else if (arguments.Positional is [var items])
        {
            foreach (var item in Sequences.ToList(state, items))
            {
                pairs.Add(Sequences.ToList(state, item) is [var key, var value] ? (key, value) : throw state.Raise("dictionary update sequence element is no pair"));
            }
        }

        foreach (var (name, value) in arguments.Named ?? [])
        {
            pairs.Add((new StringValue(name, Provenance.Template), value));
        }

        return pairs;
    }

    private static CyclerValue Cycler(RenderState state, Arguments arguments)
        => arguments.Positional.Length == 0 ? throw state.Raise("at least one item has to be provided") : new CyclerValue(arguments.Positional);

    private static JoinerValue Joiner(RenderState state, Arguments arguments)
        => new(arguments.Bind(state, "joiner", 0, "sep")[0] ?? new StringValue(", ", Provenance.Template));

    private static Value RaiseException(RenderState state, Arguments arguments)
        => throw state.Raise(Shorten.Text(Printing.Str(state, arguments.Bind(state, "raise_exception", 1, "message")[0]!).Text));

    private static StringValue StrftimeNow(RenderState state, Arguments arguments)
        => arguments.Bind(state, "strftime_now", 1, "format")[0] is StringValue format
            ? StrfTime.Format(state, format, state.Clock.GetLocalNow())
            : throw state.Raise("strftime_now takes a string");
}
