namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Walking, counting and slicing whatever has members.</summary>
internal static class Sequences
{
    /// <summary>Number of members where Python's <c>len</c> knows it, else null.</summary>
    public static long? TryLength(Value value) => value switch
    {
        StringValue text => text.CodePoints,
        ListValue list => list.Items.Count,
        TupleValue tuple => tuple.Items.Length,
        DictValue dict => dict.Items.Count,
        DictViewValue view => view.Dict.Items.Count,
        RangeValue range => range.Count,
        UndefinedValue => 0,
        LoopValue loop => loop.Length,
        _ => null,
    };

    public static bool IsIterable(Value value) => TryLength(value) is not null || value is GeneratorValue;

    /// <summary>Members one by one; fails for what has none.</summary>
    public static IEnumerator<Value> Iterate(RenderState state, Value value) => value switch
    {
        ListValue list => list.Items.GetEnumerator(),
        TupleValue tuple => ((IEnumerable<Value>)tuple.Items).GetEnumerator(),
        StringValue text => Characters(state, text),
        DictValue dict => dict.Items.Keys.GetEnumerator(),
        DictViewValue view => View(state, view),
        RangeValue range => Numbers(range),
        GeneratorValue generator => generator,
        UndefinedValue => Enumerable.Empty<Value>().GetEnumerator(),
        _ => throw state.Raise($"'{value.TypeName}' object is not iterable"),
    };

    /// <summary>All that is left of a walk, counted as steps.</summary>
    public static List<Value> ToList(RenderState state, IEnumerator<Value> walk)
    {
        var items = new List<Value>();
        while (walk.MoveNext())
        {
            state.Step();
            items.Add(walk.Current);
        }

        return items;
    }

    public static List<Value> ToList(RenderState state, Value value) => ToList(state, Iterate(state, value));

    /// <summary>One member of a list, tuple, string or range by its index, or null where there is none.</summary>
    public static Value? At(RenderState state, Value value, long index)
    {
        var length = TryLength(value)!.Value;
        index = index < 0 ? index + length : index;
        if (index < 0 || index >= length)
        {
            return null;
        }

        switch (value)
        {
            case ListValue list:
                return list.Items[(int)index];
            case TupleValue tuple:
                return tuple.Items[index];
            case RangeValue range:
                return range.At(index);
            default:
                var text = (StringValue)value;
                state.Skim(text.IsSimple ? 0 : 16 * index);
                var unit = text.UnitIndex((int)index);
                return text.Slice(state, unit, text.UnitLength(unit));
        }
    }

    /// <summary>A slice by Python's rules.</summary>
    public static Value Slice(RenderState state, Value value, SliceValue slice)
    {
        var length = TryLength(value)!.Value;
        var step = slice.Step is NoneValue ? 1 : Index(state, slice.Step);
        if (step == 0)
        {
            throw state.Raise("slice step cannot be zero");
        }

        var (start, stop) = (Bound(state, slice.Start, length, step, isStart: true), Bound(state, slice.Stop, length, step, isStart: false));
        var count = step > 0 ? (stop > start ? ((stop - start - 1) / step) + 1 : 0) : (start > stop ? ((start - stop - 1) / -(Int128)step) + 1 : 0);
        if (value is StringValue text)
        {
            return SliceText(state, text, start, step, (int)count);
        }

        if (value is RangeValue range)
        {
            return new RangeValue(Clamp(range.Start + ((Int128)start * range.Step)), Clamp(range.Start + ((Int128)stop * range.Step)), Clamp((Int128)range.Step * step), (long)count);
        }

        state.CheckElements((Int128)count);
        IReadOnlyList<Value> items = value is ListValue list ? list.Items : ((TupleValue)value).Items;
        var picked = new Value[(int)count];
        for (var i = 0; i < picked.Length; i++)
        {
            picked[i] = items[(int)(start + (i * step))];
        }

        return value is ListValue ? new ListValue([.. picked]) : new TupleValue(picked);
    }

    private static long Clamp(Int128 value) => (long)Int128.Clamp(value, long.MinValue, long.MaxValue);

    private static StringValue SliceText(RenderState state, StringValue text, long start, long step, int count)
    {
        if (count == 0)
        {
            return text.Slice(state, 0, 0);
        }

        if (step == 1)
        {
            var from = text.UnitIndex((int)start);
            return text.Slice(state, from, text.UnitIndex((int)(start + count)) - from);
        }

        var result = new TextBuilder(state);
        var units = text.IsSimple ? null : UnitIndices(state, text);
        for (long i = 0, at = start; i < count; i++, at += step)
        {
            var unit = units is null ? (int)at : units[(int)at];
            result.Append(text, unit, text.UnitLength(unit));
        }

        return result.ToValue(text.IsMarkup);
    }

    private static int[] UnitIndices(RenderState state, StringValue text)
    {
        state.ChargeChars(2L * text.CodePoints);
        var units = new int[text.CodePoints];
        for (int i = 0, unit = 0; i < units.Length; i++)
        {
            units[i] = unit;
            unit += text.UnitLength(unit);
        }

        return units;
    }

    private static long Bound(RenderState state, Value bound, long length, long step, bool isStart)
    {
        if (bound is NoneValue)
        {
            return (step > 0, isStart) switch { (true, true) => 0, (true, false) => length, (false, true) => length - 1, _ => -1 };
        }

        var index = Index(state, bound);
        if (index < 0)
        {
            index += length;
            return index < 0 ? (step < 0 ? -1 : 0) : index;
        }

        return index >= length ? (step < 0 ? length - 1 : length) : index;
    }

    private static long Index(RenderState state, Value value)
        => Templates.Numbers.TryInteger(value, out var number, out _) ? number
            : value is UndefinedValue missing ? throw state.Raise("slice indices must be integers or None: " + missing.Message)
            : throw state.Raise("slice indices must be integers or None or have an __index__ method");

    private static IEnumerator<Value> Characters(RenderState state, StringValue text)
    {
        // A string's members are plain strings, marked or not.
        var plain = text.WithMarkup(markup: false);
        for (var i = 0; i < plain.Text.Length;)
        {
            var length = plain.UnitLength(i);
            yield return plain.Slice(state, i, length);
            i += length;
        }
    }

    private static IEnumerator<Value> View(RenderState state, DictViewValue view)
    {
        foreach (var (key, value) in view.Dict.Items)
        {
            state.Tick();
            yield return view.Kind switch { DictViewKind.Keys => key, DictViewKind.Values => value, _ => new TupleValue([key, value]) };
        }
    }

    private static IEnumerator<Value> Numbers(RangeValue range)
    {
        for (long i = 0; i < range.Count; i++)
        {
            yield return range.At(i);
        }
    }
}
