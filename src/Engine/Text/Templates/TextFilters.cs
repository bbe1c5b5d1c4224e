using System.Buffers;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;

namespace KvPrefetch.Engine.Text.Templates;

internal static partial class TextFilters
{
    private static readonly StringValue NewLine = new("\n", Provenance.Template);
    private static readonly SearchValues<char> NotInNames = SearchValues.Create(" \t\n\r\f\v/>=");

    public static Value String(RenderState state, Value value, Arguments arguments)
    {
        arguments.Plain(state, "string", 0, 0);
        return Soft(state, value);
    }

    public static Value Safe(RenderState state, Value value, Arguments arguments)
    {
        arguments.Plain(state, "safe", 0, 0);
        return Soft(state, value).WithMarkup(markup: true);
    }

    public static Value Escape(RenderState state, Value value, Arguments arguments)
    {
        arguments.Plain(state, "escape", 0, 0);
        return PythonText.Escape(state, Soft(state, value));
    }

    public static Value ForceEscape(RenderState state, Value value, Arguments arguments)
    {
        arguments.Plain(state, "forceescape", 0, 0);
        return PythonText.Escape(state, Printing.Str(state, value));
    }

    public static Value Case(RenderState state, Value value, Arguments arguments) => Method(state, value, "upper", arguments);

    public static Value Lower(RenderState state, Value value, Arguments arguments) => Method(state, value, "lower", arguments);

    public static Value Capitalize(RenderState state, Value value, Arguments arguments) => Method(state, value, "capitalize", arguments);

    public static Value Trim(RenderState state, Value value, Arguments arguments)
    {
        var chars = arguments.Bind(state, "trim", 0, "chars")[0];
        var set = chars is null or NoneValue ? null : chars as StringValue ?? throw state.Raise("strip arg must be None or str");
        return StringMethods.Strip(state, Soft(state, value), set, left: true, right: true);
    }

    public static Value Center(RenderState state, Value value, Arguments arguments)
    {
        var width = arguments.Bind(state, "center", 0, "width")[0] is { } given ? Numbers.Integer(state, given) : 80;
        return StringMethods.Center(state, Soft(state, value), width, new StringValue(" ", Provenance.Template));
    }

    /// <summary>The first character of every word upper, the others lower; words begin after blanks, hyphens and opening brackets.</summary>
    public static Value Title(RenderState state, Value value, Arguments arguments)
    {
        arguments.Plain(state, "title", 0, 0);
        var atStart = true;
        var inSeparator = false;
        var wordStart = 0;
        return PythonText.Map(state, Soft(state, value).WithMarkup(markup: false), (raw, i) =>
        {
            var isSeparator = PythonText.IsSpace(raw[i]) || raw[i] is '-' or '(' or '{' or '[' or '<';
            atStart = i == 0 || isSeparator != inSeparator;
            inSeparator = isSeparator;
            wordStart = atStart ? i : wordStart;
            return atStart ? Casing.Upper(raw, i) : Casing.Lower(raw, i, from: wordStart + 1);
        });
    }

    public static Value Indent(RenderState state, Value value, Arguments arguments)
    {
        var bound = arguments.Bind(state, "indent", 0, "width", "first", "blank");
        if (value is UndefinedValue missing)
        {
            throw state.Use(missing);
        }

        var text = value as StringValue ?? throw state.Raise($"indent: a string is expected, not '{value.TypeName}'");
        var blanks = new TextBuilder(state);
        if (bound[0] is StringValue given)
        {
            blanks.Append(given);
        }
        else
        {
            blanks.AppendRepeated(new StringValue(" ", Provenance.Template), Math.Max(0, bound[0] is { } width ? Numbers.Integer(state, width) : 4));
        }

        var indention = text.IsMarkup ? PythonText.Escape(state, blanks.ToValue()) : blanks.ToValue();
        var blank = bound[2] is { } b && Truth.Of(state, b);
        var lines = StringMethods.Lines(state, Arithmetic.Concat(state, text, NewLine.WithMarkup(text.IsMarkup)), keepEnds: false);
        var result = new TextBuilder(state);
        if (bound[1] is { } first && Truth.Of(state, first))
        {
            result.Append(indention);
        }

        for (var i = 0; i < lines.Count; i++)
        {
            if (i > 0)
            {
                result.Append(NewLine);
                if (blank || lines[i].Text.Length > 0)
                {
                    result.Append(indention);
                }
            }

            result.Append(lines[i]);
        }

        return result.ToValue(text.IsMarkup);
    }

    public static Value Replace(RenderState state, Value value, Arguments arguments)
    {
        var bound = arguments.Bind(state, "replace", 2, "old", "new", "count");
        var count = bound[2] is null or NoneValue ? -1 : Numbers.Integer(state, bound[2]!);
        var text = Printing.Str(state, value);
        state.Skim(text.Text.Length);
        return StringMethods.Replace(state, text, Printing.Str(state, bound[0]!), Printing.Str(state, bound[1]!), count);
    }

    public static Value Truncate(RenderState state, Value value, Arguments arguments)
    {
        var bound = arguments.Bind(state, "truncate", 0, "length", "killwords", "end", "leeway");
        var length = bound[0] is { } l ? Numbers.Integer(state, l) : 255;
        var end = bound[2] is { } e ? e as StringValue ?? throw state.Raise("truncate: end must be a string") : new StringValue("...", Provenance.Template);
        var leeway = bound[3] is null or NoneValue ? 5 : Numbers.Integer(state, bound[3]!);
        if (length < end.CodePoints || leeway < 0)
        {
            throw state.Raise($"truncate: expected length >= {end.CodePoints} and leeway >= 0");
        }

        if (Sequences.TryLength(value) is { } size && size <= (Int128)length + leeway)
        {
            return value;
        }

        var text = value as StringValue ?? throw state.Raise($"truncate: a string is expected, not '{value.TypeName}'");

        var cut = text.Slice(state, 0, text.UnitIndex((int)(length - end.CodePoints)));
        if (!(bound[1] is { } kill && Truth.Of(state, kill)))
        {
            var space = cut.Text.LastIndexOf(' ');
            cut = space < 0 ? cut : cut.Slice(state, 0, space);
        }

        return Arithmetic.Concat(state, cut, end);
    }

    public static Value Format(RenderState state, Value value, Arguments arguments)
    {
        if (arguments.HasNamed && arguments.Positional.Length > 0)
        {
            throw state.Raise("can't handle positional and keyword arguments at the same time");
        }

        if (!arguments.HasNamed)
        {
            return PercentFormat.Apply(state, Soft(state, value), new TupleValue(arguments.Positional));
        }

        var dict = new DictValue();
        foreach (var (name, item) in arguments.Named!)
        {
            dict.Items[new StringValue(name, Provenance.Template)] = item;
        }

        return PercentFormat.Apply(state, Soft(state, value), dict);
    }

    public static Value Join(RenderState state, Value value, Arguments arguments)
    {
        var bound = arguments.Bind(state, "join", 0, "d", "attribute");
        var path = bound[1] is null or NoneValue ? null : AttributePath.Parse(state, bound[1]!);
        var separator = bound[0] is null ? StringValue.Empty : Printing.Str(state, bound[0]!);
        var result = new TextBuilder(state);
        var walk = Sequences.Iterate(state, value);
        for (var isFirst = true; walk.MoveNext(); isFirst = false)
        {
            state.Step();
            if (!isFirst)
            {
                result.Append(separator);
            }

            result.Append(Printing.Str(state, path is null ? walk.Current : path.Get(state, walk.Current)));
        }

        return result.ToValue();
    }

    public static Value WordCount(RenderState state, Value value, Arguments arguments)
    {
        arguments.Plain(state, "wordcount", 0, 0);
        var words = 0;
        var inWord = false;
        var text = Soft(state, value);
        state.Scan(text);
        foreach (var c in text.Text)
        {
            var isWord = char.IsLetterOrDigit(c) || c == '_';
            words += isWord && !inWord ? 1 : 0;
            inWord = isWord;
        }

        return IntValue.Of(words);
    }

    public static Value StripTags(RenderState state, Value value, Arguments arguments)
    {
        arguments.Plain(state, "striptags", 0, 0);
        var text = Soft(state, value);
        state.Scan(text);
        state.ChargeChars(3L * text.Text.Length);
        var stripped = Tag().Replace(Comment().Replace(text.Text, ""), "");
        var words = stripped.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return new StringValue(WebUtility.HtmlDecode(string.Join(' ', words)), text.Strongest);
    }

    public static Value UrlEncode(RenderState state, Value value, Arguments arguments)
    {
        arguments.Plain(state, "urlencode", 0, 0);
        if (value is StringValue or not (DictValue or ListValue or TupleValue or DictViewValue or GeneratorValue))
        {
            return Quote(state, Printing.Str(state, value), forQuery: false);
        }

        var pairs = value is DictValue dict ? new DictViewValue(dict, DictViewKind.Items) : value;
        var result = new TextBuilder(state);
        foreach (var pair in Sequences.ToList(state, pairs))
        {
            if (Sequences.ToList(state, pair) is not [var key, var item])
            {
                throw state.Raise("urlencode: pairs are expected");
            }

            result.Append(result.Length == 0 ? "" : "&", Provenance.Template);
            result.Append(Quote(state, Printing.Str(state, key), forQuery: true));
            result.Append("=", Provenance.Template);
            result.Append(Quote(state, Printing.Str(state, item), forQuery: true));
        }

        return result.ToValue();
    }

    public static Value XmlAttributes(RenderState state, Value value, Arguments arguments)
    {
        var space = arguments.Bind(state, "xmlattr", 0, "autospace")[0] is not { } flag || Truth.Of(state, flag);
        var dict = value as DictValue ?? throw state.Raise("xmlattr: a mapping is expected");
        var result = new TextBuilder(state);
        foreach (var (key, item) in dict.Items)
        {
            state.Step();
            if (item is NoneValue or UndefinedValue)
            {
                continue;
            }

            var name = key as StringValue ?? throw state.Raise("xmlattr: keys must be strings");
            if (name.Text.AsSpan().IndexOfAny(NotInNames) >= 0)
            {
                throw state.Raise("Invalid character in attribute name");
            }

            result.Append(result.Length > 0 || space ? " " : "", Provenance.Template);
            result.Append(PythonText.Escape(state, name));
            result.Append("=\"", Provenance.Template);
            result.Append(PythonText.Escape(state, Soft(state, item)));
            result.Append("\"", Provenance.Template);
        }

        return result.ToValue();
    }

    /// <summary>Python's pprint where everything fits in a line of 80: there it is repr with sorted mappings.</summary>
    public static Value PrettyPrint(RenderState state, Value value, Arguments arguments)
    {
        arguments.Plain(state, "pprint", 0, 0);
        var text = Printing.Repr(state, Sorted(state, value, 0));
        return text.CodePoints <= 80 ? text : throw state.Unsupported("pprint of a value that needs more than one line is not supported");
    }

    private static Value Sorted(RenderState state, Value value, int depth)
    {
        if (depth > Budget.ValueDepth)
        {
            throw state.Limit($"nesting of values; the limit is {Budget.ValueDepth}");
        }

        switch (value)
        {
            case DictValue dict:
                var sorted = new DictValue();
                foreach (var (key, item) in Sorting.Sort(state, [.. dict.Items], pair => pair.Key))
                {
                    sorted.Items[key] = Sorted(state, item, depth + 1);
                }

                return sorted;
            case ListValue list:
                return new ListValue([.. list.Items.Select(item => Sorted(state, item, depth + 1))]);
            case TupleValue tuple:
                return new TupleValue([.. tuple.Items.Select(item => Sorted(state, item, depth + 1))]);
            default:
                return value;
        }
    }

    private static StringValue Soft(RenderState state, Value value) => value as StringValue ?? Printing.Str(state, value);

    private static Value Method(RenderState state, Value value, string name, Arguments arguments) => StringMethods.Call(state, Soft(state, value), name, arguments);

    private static StringValue Quote(RenderState state, StringValue text, bool forQuery) => PythonText.Map(state, text, (raw, i) =>
    {
        var c = raw[i];
        if (char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-' or '~' || (c == '/' && !forQuery))
        {
            return c.ToString();
        }

        if (c == ' ' && forQuery)
        {
            return "+";
        }

        if (PythonText.RuneAt(raw, i) is not { } rune)
        {
            throw state.Raise("urlencode: a lone surrogate cannot be encoded");
        }

        return string.Concat(Encoding.UTF8.GetBytes(rune.ToString()).Select(b => $"%{b:X2}"));
    });

    [GeneratedRegex("<!--.*?-->", RegexOptions.Singleline | RegexOptions.NonBacktracking)]
    private static partial Regex Comment();

    [GeneratedRegex("<.*?>", RegexOptions.Singleline | RegexOptions.NonBacktracking)]
    private static partial Regex Tag();
}
