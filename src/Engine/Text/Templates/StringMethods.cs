using System.Collections.Frozen;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Methods of Python's <c>str</c>. Positions are code points outside, UTF-16 units inside.</summary>
internal static class StringMethods
{
    public static readonly FrozenSet<string> Names = new[]
    {
        "capitalize", "casefold", "center", "count", "encode", "endswith", "expandtabs", "find", "format", "format_map", "index", "isalnum", "isalpha", "isascii", "isdecimal",
        "isdigit", "isidentifier", "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper", "join", "ljust", "lower", "lstrip", "maketrans", "partition",
        "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase",
        "title", "translate", "upper", "zfill",
    }.ToFrozenSet(StringComparer.Ordinal);

    public static Value Call(RenderState state, StringValue text, string name, Arguments arguments)
    {
        state.Skim(text.Text.Length);
        switch (name)
        {
            case "upper" or "lower" or "title" or "capitalize" or "swapcase" or "casefold":
                arguments.Plain(state, name, 0, 0);
                return Casing.Apply(state, text, name);
            case "strip" or "lstrip" or "rstrip":
                var chars = Optional(arguments.Plain(state, name, 0, 1), 0);
                return Strip(state, text, chars is null or NoneValue ? null : Text(state, name, chars), name != "rstrip", name != "lstrip");
            case "split" or "rsplit":
                return Split(state, text, name, arguments);
            case "splitlines":
                return SplitLines(state, text, arguments);
            case "partition" or "rpartition":
                return Partition(state, text, Text(state, name, arguments.Plain(state, name, 1, 1)[0]), fromEnd: name == "rpartition");
            case "startswith" or "endswith":
                return StartsOrEnds(state, text, name, arguments.Plain(state, name, 1, 3));
            case "find" or "rfind" or "index" or "rindex" or "count":
                return Find(state, text, name, arguments.Plain(state, name, 1, 3));
            case "replace":
                return Replace(state, text, arguments);
            case "join":
                return Join(state, text, arguments.Plain(state, name, 1, 1)[0]);
            case "center" or "ljust" or "rjust":
                return Pad(state, text, name, arguments.Plain(state, name, 1, 2));
            case "zfill":
                return ZeroFill(state, text, Numbers.Integer(state, arguments.Plain(state, name, 1, 1)[0]));
            case "expandtabs":
                return ExpandTabs(state, text, arguments.Bind(state, name, 0, "tabsize")[0] is { } size ? Numbers.Integer(state, size) : 8);
            case "removeprefix" or "removesuffix":
                var part = Text(state, name, arguments.Plain(state, name, 1, 1)[0]).Text;
                return name == "removeprefix"
                    ? text.Text.StartsWith(part, StringComparison.Ordinal) ? text.Slice(state, part.Length, text.Text.Length - part.Length) : text
                    : part.Length > 0 && text.Text.EndsWith(part, StringComparison.Ordinal) ? text.Slice(state, 0, text.Text.Length - part.Length) : text;
            case "format":
                return BraceFormat.Apply(state, text, arguments.Positional, arguments.Named ?? [], mapping: null);
            case "format_map":
                return BraceFormat.Apply(state, text, [], [], arguments.Plain(state, name, 1, 1)[0]);
            case "encode" or "translate" or "maketrans":
                throw state.Unsupported($"the method '{name}' of 'str' is not supported");
            default:
                arguments.Plain(state, name, 0, 0);
                state.Scan(text);
                return BoolValue.Of(Casing.Is(text.Text, name));
        }
    }

    public static StringValue Strip(RenderState state, StringValue text, StringValue? chars, bool left, bool right)
    {
        state.Skim(text.Text.Length);
        var raw = text.Text;
        int start = 0, end = raw.Length;
        HashSet<int>? set = null;
        if (chars is not null)
        {
            set = [];
            for (var i = 0; i < chars.Text.Length; i += chars.UnitLength(i))
            {
                set.Add(PythonText.CodePoint(chars.Text, i));
            }
        }

        while (left && start < end && (set is null ? PythonText.IsSpace(raw[start]) : set.Contains(PythonText.CodePoint(raw, start))))
        {
            start += text.UnitLength(start);
        }

        while (right && end > start)
        {
            var last = end >= 2 && char.IsLowSurrogate(raw[end - 1]) && char.IsHighSurrogate(raw[end - 2]) ? end - 2 : end - 1;
            if (!(set is null ? PythonText.IsSpace(raw[last]) : set.Contains(PythonText.CodePoint(raw, last))))
            {
                break;
            }

            end = last;
        }

        return text.Slice(state, start, end - start);
    }

    public static StringValue Join(RenderState state, StringValue separator, Value items)
    {
        var result = new TextBuilder(state);
        var walk = Sequences.Iterate(state, items);
        var isFirst = true;
        for (var i = 0; walk.MoveNext(); i++)
        {
            state.Step();
            if (walk.Current is not StringValue item)
            {
                if (!separator.IsMarkup)
                {
                    throw state.Raise($"sequence item {i}: expected str instance, {walk.Current.TypeName} found");
                }

                item = Printing.Str(state, walk.Current);
            }

            if (!isFirst)
            {
                result.Append(separator);
            }

            isFirst = false;
            result.Append(separator.IsMarkup ? PythonText.Escape(state, item) : item);
        }

        return result.ToValue(separator.IsMarkup);
    }

    public static StringValue Replace(RenderState state, StringValue text, StringValue old, StringValue replacement, long count)
    {
        var raw = text.Text;
        if (count == 0 || (old.Text.Length > 0 && !raw.Contains(old.Text, StringComparison.Ordinal)))
        {
            return text;
        }

        var result = new TextBuilder(state);
        var position = 0;
        for (long done = 0; count < 0 || done < count; done++)
        {
            int found;
            if (old.Text.Length == 0)
            {
                // An empty pattern matches before every character and at the end.
                found = done == 0 ? 0 : position < raw.Length ? position + text.UnitLength(position) : -1;
            }
            else
            {
                found = raw.IndexOf(old.Text, position, StringComparison.Ordinal);
            }

            if (found < 0)
            {
                break;
            }

            state.Tick();
            result.Append(text, position, found - position);
            result.Append(replacement);
            position = found + old.Text.Length;
        }

        result.Append(text, position, raw.Length - position);
        return result.ToValue(text.IsMarkup);
    }

    /// <summary>Pads on both sides as <c>center</c> does.</summary>
    public static StringValue Center(RenderState state, StringValue text, long width, StringValue fill)
    {
        var missing = (Int128)width - text.CodePoints;
        if (missing <= 0)
        {
            return text;
        }

        // Python puts the odd blank on the left only where the width is odd too.
        var left = (missing / 2) + (missing & width & 1);
        state.CheckLength(missing);
        return Padded(state, text, fill, (long)left, (long)(missing - left));
    }

    private static StringValue Pad(RenderState state, StringValue text, string name, Value[] arguments)
    {
        var width = Numbers.Integer(state, arguments[0]);
        var fill = arguments.Length > 1 ? Text(state, name, arguments[1]) : new StringValue(" ", Provenance.Template);
        if (fill.CodePoints != 1)
        {
            throw state.Raise("The fill character must be exactly one character long");
        }

        if (name == "center")
        {
            return Center(state, text, width, fill);
        }

        var missing = (Int128)width - text.CodePoints;
        if (missing <= 0)
        {
            return text;
        }

        state.CheckLength(missing);
        return name == "ljust" ? Padded(state, text, fill, 0, (long)missing) : Padded(state, text, fill, (long)missing, 0);
    }

    private static StringValue Padded(RenderState state, StringValue text, StringValue fill, long left, long right)
    {
        var result = new TextBuilder(state);
        result.AppendRepeated(fill, left);
        result.Append(text);
        result.AppendRepeated(fill, right);
        return result.ToValue(text.IsMarkup);
    }

    private static StringValue ZeroFill(RenderState state, StringValue text, long width)
    {
        var missing = (Int128)width - text.CodePoints;
        if (missing <= 0)
        {
            return text;
        }

        state.CheckLength(missing);
        var sign = text.Text.Length > 0 && text.Text[0] is '+' or '-' ? 1 : 0;
        var result = new TextBuilder(state);
        result.Append(text, 0, sign);
        result.AppendRepeated(new StringValue("0", Provenance.Template), (long)missing);
        result.Append(text, sign, text.Text.Length - sign);
        return result.ToValue(text.IsMarkup);
    }

    private static StringValue ExpandTabs(RenderState state, StringValue text, long size)
    {
        var result = new TextBuilder(state);
        long column = 0;
        for (var i = 0; i < text.Text.Length; i += text.UnitLength(i))
        {
            var c = text.Text[i];
            if (c == '\t')
            {
                var blanks = size > 0 ? size - (column % size) : 0;
                result.AppendRepeated(new StringValue(" ", text.At(i)), blanks);
                column += blanks;
            }
            else
            {
                result.Append(text, i, text.UnitLength(i));
                column = c is '\n' or '\r' ? 0 : column + 1;
            }
        }

        return result.ToValue(text.IsMarkup);
    }

    private static StringValue Replace(RenderState state, StringValue text, Arguments arguments)
    {
        var bound = arguments.Bind(state, "replace", 2, "old", "new", "count");
        var replacement = text.IsMarkup ? PythonText.Escape(state, Text(state, "replace", bound[1]!)) : Text(state, "replace", bound[1]!);
        return Replace(state, text, Text(state, "replace", bound[0]!), replacement, bound[2] is { } count ? Numbers.Integer(state, count) : -1);
    }

    private static ListValue Split(RenderState state, StringValue text, string name, Arguments arguments)
    {
        var bound = arguments.Bind(state, name, 0, "sep", "maxsplit");
        var most = bound[1] is { } limit ? Numbers.Integer(state, limit) : -1;
        most = most < 0 ? long.MaxValue : most;
        var fromEnd = name == "rsplit";
        var pieces = bound[0] is null or NoneValue ? SplitAtSpace(state, text, most, fromEnd) : SplitAt(state, text, Text(state, name, bound[0]!).Text, most, fromEnd);
        if (fromEnd)
        {
            pieces.Reverse();
        }

        return new ListValue(pieces);
    }

    private static List<Value> SplitAt(RenderState state, StringValue text, string separator, long most, bool fromEnd)
    {
        if (separator.Length == 0)
        {
            throw state.Raise("empty separator");
        }

        var raw = text.Text;
        var pieces = new List<Value>();
        int start = 0, end = raw.Length;
        while (pieces.Count < most)
        {
            var found = fromEnd ? raw.AsSpan(start, end - start).LastIndexOf(separator, StringComparison.Ordinal) : raw.AsSpan(start, end - start).IndexOf(separator, StringComparison.Ordinal);
            if (found < 0)
            {
                break;
            }

            state.Step();
            found += start;
            pieces.Add(fromEnd ? text.Slice(state, found + separator.Length, end - found - separator.Length) : text.Slice(state, start, found - start));
            (start, end) = fromEnd ? (start, found) : (found + separator.Length, end);
        }

        pieces.Add(text.Slice(state, start, end - start));
        return pieces;
    }

    private static List<Value> SplitAtSpace(RenderState state, StringValue text, long most, bool fromEnd)
    {
        var raw = text.Text;
        var pieces = new List<Value>();
        int start = 0, end = raw.Length;
        while (true)
        {
            while (start < end && PythonText.IsSpace(fromEnd ? raw[end - 1] : raw[start]))
            {
                (start, end) = fromEnd ? (start, end - 1) : (start + 1, end);
            }

            if (start == end)
            {
                return pieces;
            }

            state.Step();
            if (pieces.Count == most)
            {
                // The rest keeps its inner blanks and those at the far side.
                pieces.Add(text.Slice(state, start, end - start));
                return pieces;
            }

            var edge = fromEnd ? end : start;
            while (fromEnd ? edge > start && !PythonText.IsSpace(raw[edge - 1]) : edge < end && !PythonText.IsSpace(raw[edge]))
            {
                edge += fromEnd ? -1 : 1;
            }

            pieces.Add(fromEnd ? text.Slice(state, edge, end - edge) : text.Slice(state, start, edge - start));
            (start, end) = fromEnd ? (start, edge) : (edge, end);
        }
    }

    private static ListValue SplitLines(RenderState state, StringValue text, Arguments arguments)
    {
        var keep = arguments.Bind(state, "splitlines", 0, "keepends")[0] is { } flag && Truth.Of(state, flag);
        return new ListValue([.. Lines(state, text, keep)]);
    }

    /// <summary>Lines of a text, with their breaks if asked.</summary>
    public static List<StringValue> Lines(RenderState state, StringValue text, bool keepEnds)
    {
        var raw = text.Text;
        var lines = new List<StringValue>();
        for (var start = 0; start < raw.Length;)
        {
            var end = start;
            while (end < raw.Length && !PythonText.IsLineBreak(raw[end]))
            {
                end++;
            }

            var next = end == raw.Length ? end : raw[end] == '\r' && end + 1 < raw.Length && raw[end + 1] == '\n' ? end + 2 : end + 1;
            state.Step();
            lines.Add(text.Slice(state, start, (keepEnds ? next : end) - start));
            start = next;
        }

        return lines;
    }

    private static TupleValue Partition(RenderState state, StringValue text, StringValue separator, bool fromEnd)
    {
        if (separator.Text.Length == 0)
        {
            throw state.Raise("empty separator");
        }

        var found = fromEnd ? text.Text.LastIndexOf(separator.Text, StringComparison.Ordinal) : text.Text.IndexOf(separator.Text, StringComparison.Ordinal);
        if (found < 0)
        {
            return new TupleValue(fromEnd ? [StringValue.Empty, StringValue.Empty, text] : [text, StringValue.Empty, StringValue.Empty]);
        }

        var after = found + separator.Text.Length;
        return new TupleValue([text.Slice(state, 0, found), text.Slice(state, found, after - found), text.Slice(state, after, text.Text.Length - after)]);
    }

    private static BoolValue StartsOrEnds(RenderState state, StringValue text, string name, Value[] arguments)
    {
        if (!Window(state, text, arguments, out var start, out var end))
        {
            return BoolValue.False;
        }

        var window = text.Text.AsSpan(start, end - start);
        var candidates = arguments[0] is TupleValue tuple ? tuple.Items : [arguments[0]];
        foreach (var candidate in candidates)
        {
            state.Tick();
            var part = Text(state, name, candidate).Text;
            if (name == "startswith" ? window.StartsWith(part, StringComparison.Ordinal) : window.EndsWith(part, StringComparison.Ordinal))
            {
                return BoolValue.True;
            }
        }

        return BoolValue.False;
    }

    private static IntValue Find(RenderState state, StringValue text, string name, Value[] arguments)
    {
        var part = Text(state, name, arguments[0]).Text;
        var found = -1;
        var count = 0L;
        if (Window(state, text, arguments, out var start, out var end))
        {
            var window = text.Text.AsSpan(start, end - start);
            if (name == "count")
            {
                count = part.Length == 0 ? text.PointIndex(end) - text.PointIndex(start) + 1 : window.Count(part);
            }
            else
            {
                var at = name[0] == 'r' ? window.LastIndexOf(part, StringComparison.Ordinal) : window.IndexOf(part, StringComparison.Ordinal);
                found = at < 0 ? -1 : text.PointIndex(start + at);
            }
        }

        return name == "count" ? IntValue.Of(count) : found < 0 && name.EndsWith("index", StringComparison.Ordinal) ? throw state.Raise("substring not found") : IntValue.Of(found);
    }

    // Optional start and end, the second and third argument, as UTF-16 units; false where they leave nothing, not even the empty string.
    private static bool Window(RenderState state, StringValue text, Value[] arguments, out int start, out int end)
    {
        long Bound(int index, long otherwise)
        {
            if (arguments.Length <= index || arguments[index] is NoneValue)
            {
                return otherwise;
            }

            var bound = Numbers.Integer(state, arguments[index]);
            return bound < 0 ? Math.Max(0, bound + text.CodePoints) : bound;
        }

        if (!text.IsSimple)
        {
            // Code points have to be counted, for the bounds and for the answer.
            state.Scan(text);
        }

        var from = Bound(1, 0);
        var to = Math.Min(Bound(2, text.CodePoints), text.CodePoints);
        if (from > to)
        {
            start = end = 0;
            return false;
        }

        start = text.UnitIndex((int)from);
        end = text.UnitIndex((int)to);
        return true;
    }

    private static Value? Optional(Value[] arguments, int index) => index < arguments.Length ? arguments[index] : null;

    private static StringValue Text(RenderState state, string name, Value value)
        => value as StringValue ?? throw state.Raise($"{name}: a string is expected, not '{value.TypeName}'");
}
