using System.Collections.Concurrent;
using KvPrefetch.Engine.Text.Constraints.Regular;

namespace KvPrefetch.Engine.Text.Constraints.Json;

/// <summary>The formats of strings that are checked; any other name is a remark, as JSON Schema says.</summary>
internal static class Formats
{
    private const string Day = "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))";
    private const string Leap = "([0-9][0-9](0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29";
    private const string Date = "([0-9]{4}-" + Day + "|" + Leap + ")";
    private const string Offset = "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
    private const string Time = "(([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?" + Offset + "|23:59:60(\\.[0-9]+)?([Zz]|[+-]00:00))";
    private const string Clock = "T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S)";
    private const string Duration = "P(([0-9]+Y([0-9]+M([0-9]+D)?)?|[0-9]+M([0-9]+D)?|[0-9]+D)(" + Clock + ")?|" + Clock + "|[0-9]+W)";
    private const string X = "[a-zA-Z0-9]";
    private const string Y = "[a-zA-Z0-9-]";
    // Two hyphens in third and fourth place are for encoded labels, which no automaton can check: none of them is allowed.
    private const string Label = X + "(" + X + "|" + Y + X + "|" + Y + Y + X + "|" + Y + "(" + X + Y + "|-" + X + ")" + Y + "{0,58}" + X + ")?";
    private const string Host = Label + "(\\." + Label + ")*";
    private const string Octet = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
    private const string V4 = Octet + "(\\." + Octet + "){3}";
    private const string H = "[0-9A-Fa-f]{1,4}";
    private const string Last = "(" + H + ":" + H + "|" + V4 + ")";
    private const string V6 = "((" + H + ":){6}" + Last
        + "|::(" + H + ":){5}" + Last
        + "|(" + H + ")?::(" + H + ":){4}" + Last
        + "|((" + H + ":){0,1}" + H + ")?::(" + H + ":){3}" + Last
        + "|((" + H + ":){0,2}" + H + ")?::(" + H + ":){2}" + Last
        + "|((" + H + ":){0,3}" + H + ")?::" + H + ":" + Last
        + "|((" + H + ":){0,4}" + H + ")?::" + Last
        + "|((" + H + ":){0,5}" + H + ")?::" + H
        + "|((" + H + ":){0,6}" + H + ")?::)";
    private const string AtomText = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
    private const string Quoted = "\"([ !#-\\[\\]-~]|\\\\[ -~])*\"";
    private const string Email = "(" + AtomText + "(\\." + AtomText + ")*|" + Quoted + ")@(" + Host + "|\\[(" + V4 + "|IPv6:" + V6 + ")\\])";
    private const string Pct = "%[0-9A-Fa-f]{2}";
    private const string Unreserved = "A-Za-z0-9._~";
    private const string SubDelims = "!$&'()*+,;=";
    private const string PChar = "([" + Unreserved + SubDelims + ":@-]|" + Pct + ")";
    private const string Segments = "(/" + PChar + "*)*";
    private const string Authority = "(([" + Unreserved + SubDelims + ":-]|" + Pct + ")*@)?(\\[(" + V6 + "|v[0-9A-Fa-f]+\\.[" + Unreserved + SubDelims + ":-]+)\\]|([" + Unreserved + SubDelims + "-]|" + Pct + ")*)(:[0-9]*)?";
    private const string Tail = "([" + Unreserved + SubDelims + ":@/?-]|" + Pct + ")*";
    private const string Uri = "[A-Za-z][A-Za-z0-9+.-]*:(//" + Authority + Segments + "|/(" + PChar + "+" + Segments + ")?|" + PChar + "+" + Segments + ")?(\\?" + Tail + ")?(#" + Tail + ")?";

    private const string Reference = "(//" + Authority + Segments + "|/(" + PChar + "+" + Segments + ")?|([" + Unreserved + SubDelims + "@-]|" + Pct + ")+" + Segments + ")?(\\?" + Tail + ")?(#" + Tail + ")?";
    private const string Variable = "([A-Za-z0-9_]|" + Pct + ")(\\.?([A-Za-z0-9_]|" + Pct + "))*(:[1-9][0-9]{0,3}|\\*)?";
    private const string Pointer = "(/([^/~]|~[01])*)*";

    private static readonly ConcurrentDictionary<string, RegexNode> s_parsed = new(StringComparer.Ordinal);

    /// <summary>The syntax of a format, or null.</summary>
    public static RegexNode? Find(string name)
    {
        var source = name switch
        {
            "date-time" => Date + "[Tt]" + Time,
            "date" => Date,
            "time" => Time,
            "duration" => Duration,
            "uuid" => "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",
            "email" => Email,
            "hostname" => "(?=.{1,253}$)" + Host,
            "ipv4" => V4,
            "ipv6" => V6,
            "uri" => Uri,
            "uri-reference" => "(" + Uri + "|" + Reference + ")",
            "json-pointer" => Pointer,
            "relative-json-pointer" => "(0|[1-9][0-9]*)(#|" + Pointer + ")",
            "uri-template" => "([^\\x00-\\x20\\x7f\"%<>\\\\^`{|}]|" + Pct + "|\\{[+#./;?&=,!@|]?" + Variable + "(," + Variable + ")*\\})*",
            "regex" => Expressions(3),
            _ => null,
        };
        return source is null ? null : s_parsed.GetOrAdd(name, static (_, s) => RegexSyntax.Parse(s, RegexDialect.Ecma), source);
    }

    /// <summary>Regular expressions whose groups are nested so deep at most: with any depth they are no regular language.</summary>
    private static string Expressions(int depth)
    {
        const string one = "[^\\\\()\\[*+?{|]|\\\\[dDsSwWbBfnrtv0^$\\\\.*+?()\\[\\]{}|/-]|\\\\u[0-9A-Fa-f]{4}|\\\\x[0-9A-Fa-f]{2}|\\[\\^?([^\\]\\\\-]|\\\\[dDsSwWbBfnrtv0^$\\\\.*+?()\\[\\]{}|/-])*(([a-z]-z|[A-Z]-Z|[0-9]-9|a-[a-z]|A-[A-Z]|0-[0-9]|a-zA-Z|a-zA-Z0-9)([^\\]\\\\-]|\\\\[dDsSwWbBfnrtv0^$\\\\.*+?()\\[\\]{}|/-])*)*-?\\]";
        var atom = depth == 0 ? one : one + "|\\((\\?([:=!]|<[=!]|<[A-Za-z_]+>))?" + Expressions(depth - 1) + "\\)";
        var sequence = "((" + atom + ")([*+?]\\??|\\{[0-9]{1,3}(,)?\\}\\??)?)*";
        return sequence + "(\\|" + sequence + ")*";
    }
}
