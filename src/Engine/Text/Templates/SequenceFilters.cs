using System.Globalization;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>A path such as <c>function.name</c> or <c>0.id</c>, by which filters look into members.</summary>
internal sealed class AttributePath
{
    private readonly Value[] parts;
    private readonly Value? otherwise;

    private AttributePath(Value[] parts, Value? otherwise) => (this.parts, this.otherwise) = (parts, otherwise);

    public static AttributePath Parse(RenderState state, Value path, Value? otherwise = null) => path switch
    {
        StringValue text => new AttributePath([.. text.Text.Split('.').Select(Part)], otherwise),
        IntValue number => new AttributePath([number], otherwise),
        NoneValue => new AttributePath([], otherwise),
        _ => throw state.Raise("attribute must be a string or an integer"),
    };

    public Value Get(RenderState state, Value value)
    {
        foreach (var part in parts)
        {
            state.Tick();
            value = Members.Item(state, value, part);
            if (otherwise is not (null or NoneValue) && value is UndefinedValue)
            {
                value = otherwise;
            }
        }

        return value;
    }

    private static Value Part(string part)
        => long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? IntValue.Of(number) : new StringValue(part, Provenance.Template);
}

internal static class SequenceFilters
{
    public static Value First(RenderState state, Value value, Arguments arguments)
    {
        arguments.Plain(state, "first", 0, 0);
        var walk = Sequences.Iterate(state, value);
        return walk.MoveNext() ? walk.Current : UndefinedValue.Because("No first item, sequence was empty.");
    }

    public static Value Last(RenderState state, Value value, Arguments arguments)
    {
        arguments.Plain(state, "last", 0, 0);
        switch (value)
        {
            case GeneratorValue:
                throw state.Raise($"'{value.TypeName}' object is not reversible");
            case StringValue or ListValue or TupleValue or RangeValue:
                return Sequences.At(state, value, -1) ?? UndefinedValue.Because("No last item, sequence was empty.");
            default:
                return Sequences.ToList(state, value) is [.., var last] ? last : UndefinedValue.Because("No last item, sequence was empty.");
        }
    }

    public static Value List(RenderState state, Value value, Arguments arguments)
    {
        arguments.Plain(state, "list", 0, 0);
        return new ListValue(Sequences.ToList(state, value));
    }

    public static Value Items(RenderState state, Value value, Arguments arguments)
    {
        arguments.Plain(state, "items", 0, 0);
        return new GeneratorValue(state, Walk());

        IEnumerator<Value> Walk()
        {
            if (value is UndefinedValue)
            {
                yield break;
            }

            if (value is not DictValue dict)
            {
                throw state.Raise("Can only get item pairs from a mapping.");
            }

            foreach (var (key, item) in dict.Items)
            {
                state.Tick();
                yield return new TupleValue([key, item]);
            }
        }
    }

    public static Value Reverse(RenderState state, Value value, Arguments arguments)
    {
        arguments.Plain(state, "reverse", 0, 0);
        if (value is StringValue)
        {
            return Sequences.Slice(state, value, new SliceValue(NoneValue.Instance, NoneValue.Instance, IntValue.Of(-1)));
        }

        if (!Sequences.IsIterable(value))
        {
            throw state.Raise("argument must be iterable");
        }

        var items = Sequences.ToList(state, value);
        items.Reverse();
        return value is GeneratorValue ? new ListValue(items) : new GeneratorValue(state, items.GetEnumerator(), value.TypeName + "_reverseiterator");
    }

    public static Value Sort(RenderState state, Value value, Arguments arguments)
    {
        var bound = arguments.Bind(state, "sort", 0, "reverse", "case_sensitive", "attribute");
        var caseSensitive = bound[1] is { } sensitive && Truth.Of(state, sensitive);
        var paths = bound[2] is StringValue several
            ? several.Text.Split(',').Select(path => AttributePath.Parse(state, new StringValue(path, Provenance.Template))).ToArray()
            : [AttributePath.Parse(state, bound[2] ?? NoneValue.Instance)];
        var sorted = Sorting.Sort(
            state,
            Sequences.ToList(state, value),
            item => new ListValue([.. paths.Select(path => Folded(state, path.Get(state, item), caseSensitive))]),
            bound[0] is { } reverse && Truth.Of(state, reverse));
        return new ListValue(sorted);
    }

    public static Value DictSort(RenderState state, Value value, Arguments arguments)
    {
        var bound = arguments.Bind(state, "dictsort", 0, "case_sensitive", "by", "reverse");
        var caseSensitive = bound[0] is { } sensitive && Truth.Of(state, sensitive);
        var by = bound[1] is null ? "key" : (bound[1] as StringValue)?.Text;
        if (by is not ("key" or "value"))
        {
            throw state.Raise("You can only sort by either \"key\" or \"value\"");
        }

        var dict = value as DictValue ?? throw (value is UndefinedValue missing ? state.Use(missing) : state.Raise($"'{value.TypeName}' object has no attribute 'items'"));
        var sorted = Sorting.Sort(
            state,
            [.. dict.Items],
            pair => Folded(state, by == "key" ? pair.Key : pair.Value, caseSensitive),
            bound[2] is { } reverse && Truth.Of(state, reverse));
        return new ListValue([.. sorted.Select(pair => new TupleValue([pair.Key, pair.Value]))]);
    }

    public static Value Unique(RenderState state, Value value, Arguments arguments)
    {
        var bound = arguments.Bind(state, "unique", 0, "case_sensitive", "attribute");
        var caseSensitive = bound[0] is { } sensitive && Truth.Of(state, sensitive);
        var path = AttributePath.Parse(state, bound[1] ?? NoneValue.Instance);
        return new GeneratorValue(state, Walk());

        IEnumerator<Value> Walk()
        {
            var seen = new HashSet<Value>(KeyComparer.Instance);
            var walk = Sequences.Iterate(state, value);
            while (walk.MoveNext())
            {
                state.Step();
                if (seen.Add(Comparison.Hashable(state, Folded(state, path.Get(state, walk.Current), caseSensitive))))
                {
                    yield return walk.Current;
                }
            }
        }
    }

    public static Value Min(RenderState state, Value value, Arguments arguments) => Extreme(state, value, arguments, "<");

    public static Value Max(RenderState state, Value value, Arguments arguments) => Extreme(state, value, arguments, ">");

    public static Value Map(RenderState state, Value value, Arguments arguments)
    {
        return new GeneratorValue(state, Walk());

        IEnumerator<Value> Walk()
        {
            if (!Truth.Of(state, value))
            {
                yield break;
            }

            var apply = Mapping(state, arguments);
            var walk = Sequences.Iterate(state, value);
            while (walk.MoveNext())
            {
                state.Step();
                yield return apply(walk.Current);
            }
        }
    }

    public static Value Select(RenderState state, Value value, Arguments arguments) => Filtered(state, value, arguments, byAttribute: false, wanted: true);

    public static Value Reject(RenderState state, Value value, Arguments arguments) => Filtered(state, value, arguments, byAttribute: false, wanted: false);

    public static Value SelectAttr(RenderState state, Value value, Arguments arguments) => Filtered(state, value, arguments, byAttribute: true, wanted: true);

    public static Value RejectAttr(RenderState state, Value value, Arguments arguments) => Filtered(state, value, arguments, byAttribute: true, wanted: false);

    public static Value GroupBy(RenderState state, Value value, Arguments arguments)
    {
        var bound = arguments.Bind(state, "groupby", 1, "attribute", "default", "case_sensitive");
        var caseSensitive = bound[2] is { } sensitive && Truth.Of(state, sensitive);
        var path = AttributePath.Parse(state, bound[0]!, bound[1]);
        var sorted = Sorting.Sort(state, Sequences.ToList(state, value), item => Folded(state, path.Get(state, item), caseSensitive));
        var groups = new List<Value>();
        for (var start = 0; start < sorted.Count;)
        {
            var key = Folded(state, path.Get(state, sorted[start]), caseSensitive);
            var end = start + 1;
            while (end < sorted.Count && Comparison.Equal(state, key, Folded(state, path.Get(state, sorted[end]), caseSensitive)))
            {
                state.Step();
                end++;
            }

            groups.Add(new TupleValue([caseSensitive ? key : path.Get(state, sorted[start]), new ListValue(sorted[start..end])], isGroup: true));
            start = end;
        }

        return new ListValue(groups);
    }

    public static Value Batch(RenderState state, Value value, Arguments arguments)
    {
        var bound = arguments.Bind(state, "batch", 1, "linecount", "fill_with");
        var count = Numbers.Integer(state, bound[0]!);
        return new GeneratorValue(state, Walk());

        IEnumerator<Value> Walk()
        {
            var batch = new List<Value>();
            var walk = Sequences.Iterate(state, value);
            while (walk.MoveNext())
            {
                state.Step();
                if (batch.Count == count)
                {
                    yield return new ListValue(batch);
                    batch = [];
                }

                batch.Add(walk.Current);
            }

            if (batch.Count > 0)
            {
                if (bound[1] is { } fill and not NoneValue && batch.Count < count)
                {
                    state.CheckElements(count - batch.Count);
                    batch.AddRange(Enumerable.Repeat(fill, (int)(count - batch.Count)));
                }

                yield return new ListValue(batch);
            }
        }
    }

    public static Value Slice(RenderState state, Value value, Arguments arguments)
    {
        var bound = arguments.Bind(state, "slice", 1, "slices", "fill_with");
        var slices = Numbers.Integer(state, bound[0]!);
        return new GeneratorValue(state, Walk());

        IEnumerator<Value> Walk()
        {
            var items = Sequences.ToList(state, value);
            if (slices == 0)
            {
                throw state.Raise("integer division or modulo by zero");
            }

            var (size, extra) = (items.Count / slices, items.Count % slices);
            var start = 0L;
            for (long i = 0; i < slices; i++)
            {
                state.Step();
                var end = start + size + (i < extra ? 1 : 0);
                var part = items[(int)start..(int)end];
                if (bound[1] is { } fill and not NoneValue && i >= extra)
                {
                    part.Add(fill);
                }

                yield return new ListValue(part);
                start = end;
            }
        }
    }

    private static GeneratorValue Filtered(RenderState state, Value value, Arguments arguments, bool byAttribute, bool wanted)
    {
        return new GeneratorValue(state, Walk());

        IEnumerator<Value> Walk()
        {
            if (!Truth.Of(state, value))
            {
                yield break;
            }

            var positional = arguments.Positional;
            if (byAttribute && positional.Length == 0)
            {
                throw state.Raise("Missing parameter for attribute name");
            }

            var path = byAttribute ? AttributePath.Parse(state, positional[0]) : null;
            var offset = byAttribute ? 1 : 0;
            var test = positional.Length > offset ? TestName(state, positional[offset]) : null;
            var rest = test is null ? null : new Arguments(positional[(offset + 1)..], arguments.Named);
            var walk = Sequences.Iterate(state, value);
            while (walk.MoveNext())
            {
                state.Step();
                var item = path is null ? walk.Current : path.Get(state, walk.Current);
                if ((test is null ? Truth.Of(state, item) : Tests.Apply(state, test, item, rest!)) == wanted)
                {
                    yield return walk.Current;
                }
            }
        }
    }

    private static string TestName(RenderState state, Value name) => (name as StringValue)?.Text ?? throw state.Raise("the name of a test must be a string");

    private static Func<Value, Value> Mapping(RenderState state, Arguments arguments)
    {
        if (arguments.Positional.Length == 0 && arguments.HasNamed && arguments.Named!.Exists(pair => pair.Key == "attribute"))
        {
            var bound = arguments.Bind(state, "map", 1, "attribute", "default");
            var path = AttributePath.Parse(state, bound[0]!, bound[1]);
            return item => path.Get(state, item);
        }

        if (arguments.Positional is not [StringValue name, .. var rest])
        {
            throw state.Raise("map requires a filter argument");
        }

        var inner = new Arguments(rest, arguments.Named);
        return item =>
        {
            // A filter that maps itself over nested lists goes deeper with each.
            state.Enter();
            var mapped = Filters.Apply(state, name.Text, item, inner);
            state.Leave();
            return mapped;
        };
    }

    private static Value Extreme(RenderState state, Value value, Arguments arguments, string sign)
    {
        var bound = arguments.Bind(state, sign == "<" ? "min" : "max", 0, "case_sensitive", "attribute");
        var caseSensitive = bound[0] is { } sensitive && Truth.Of(state, sensitive);
        var path = AttributePath.Parse(state, bound[1] ?? NoneValue.Instance);
        Value? best = null;
        Value? bestKey = null;
        var walk = Sequences.Iterate(state, value);
        while (walk.MoveNext())
        {
            state.Step();
            var key = Folded(state, path.Get(state, walk.Current), caseSensitive);
            if (bestKey is null || Comparison.Holds(state, sign, key, bestKey))
            {
                (best, bestKey) = (walk.Current, key);
            }
        }

        return best ?? UndefinedValue.Because("No aggregated item, sequence was empty.");
    }

    private static Value Folded(RenderState state, Value value, bool caseSensitive)
        => value is StringValue text && !caseSensitive ? Casing.Apply(state, text, "lower") : value;
}
