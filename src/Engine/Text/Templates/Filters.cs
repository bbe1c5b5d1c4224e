using System.Collections.Frozen;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Filters by name. Those on numbers, text and sequences live in files of their own.</summary>
internal static class Filters
{
    internal delegate Value Filter(RenderState state, Value value, Arguments arguments);

    private static readonly FrozenDictionary<string, Filter> Known = new Dictionary<string, Filter>(StringComparer.Ordinal)
    {
        ["default"] = Default,
        ["d"] = Default,
        ["attr"] = Attr,
        ["tojson"] = JsonText.Write,
        ["length"] = Length,
        ["count"] = Length,

        ["string"] = TextFilters.String,
        ["safe"] = TextFilters.Safe,
        ["escape"] = TextFilters.Escape,
        ["e"] = TextFilters.Escape,
        ["forceescape"] = TextFilters.ForceEscape,
        ["upper"] = TextFilters.Case,
        ["lower"] = TextFilters.Lower,
        ["capitalize"] = TextFilters.Capitalize,
        ["title"] = TextFilters.Title,
        ["trim"] = TextFilters.Trim,
        ["center"] = TextFilters.Center,
        ["indent"] = TextFilters.Indent,
        ["replace"] = TextFilters.Replace,
        ["truncate"] = TextFilters.Truncate,
        ["format"] = TextFilters.Format,
        ["join"] = TextFilters.Join,
        ["wordcount"] = TextFilters.WordCount,
        ["striptags"] = TextFilters.StripTags,
        ["urlencode"] = TextFilters.UrlEncode,
        ["xmlattr"] = TextFilters.XmlAttributes,
        ["pprint"] = TextFilters.PrettyPrint,

        ["abs"] = NumberFilters.Abs,
        ["int"] = NumberFilters.Int,
        ["float"] = NumberFilters.Float,
        ["round"] = NumberFilters.Round,
        ["sum"] = NumberFilters.Sum,
        ["filesizeformat"] = NumberFilters.FileSize,

        ["first"] = SequenceFilters.First,
        ["last"] = SequenceFilters.Last,
        ["list"] = SequenceFilters.List,
        ["items"] = SequenceFilters.Items,
        ["reverse"] = SequenceFilters.Reverse,
        ["sort"] = SequenceFilters.Sort,
        ["dictsort"] = SequenceFilters.DictSort,
        ["unique"] = SequenceFilters.Unique,
        ["min"] = SequenceFilters.Min,
        ["max"] = SequenceFilters.Max,
        ["map"] = SequenceFilters.Map,
        ["select"] = SequenceFilters.Select,
        ["reject"] = SequenceFilters.Reject,
        ["selectattr"] = SequenceFilters.SelectAttr,
        ["rejectattr"] = SequenceFilters.RejectAttr,
        ["groupby"] = SequenceFilters.GroupBy,
        ["batch"] = SequenceFilters.Batch,
        ["slice"] = SequenceFilters.Slice,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    public static bool Exists(string name) => Known.ContainsKey(name);

    public static Value Apply(RenderState state, string name, Value value, Arguments arguments)
    {
        state.Step();
        return Known.TryGetValue(name, out var filter)
            ? filter(state, value, arguments)
            : throw state.Unsupported($"No filter named '{Shorten.Text(name)}' found.");
    }

    private static Value Default(RenderState state, Value value, Arguments arguments)
    {
        var bound = arguments.Bind(state, "default", 0, "default_value", "boolean");
        var replace = value is UndefinedValue || (bound[1] is { } boolean && Truth.Of(state, boolean) && !Truth.Of(state, value));
        return replace ? bound[0] ?? StringValue.Empty : value;
    }

    private static Value Attr(RenderState state, Value value, Arguments arguments)
    {
        var name = arguments.Bind(state, "attr", 1, "name")[0] as StringValue ?? throw state.Raise("attribute name must be string");
        if (value is DictValue && Members.TryAttribute(state, value, name.Text) is null)
        {
            return UndefinedValue.Attribute(value, name.Text);
        }

        return Members.Attribute(state, value, name.Text);
    }

    private static IntValue Length(RenderState state, Value value, Arguments arguments)
    {
        arguments.Plain(state, "length", 0, 0);
        return IntValue.Of(Sequences.TryLength(value) ?? throw state.Raise($"object of type '{value.TypeName}' has no len()"));
    }
}
