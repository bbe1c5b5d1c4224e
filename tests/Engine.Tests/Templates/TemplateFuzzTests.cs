using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text;
using KvPrefetch.Engine.Text.Templates;

namespace KvPrefetch.Tests.Templates;

/// <summary>Random templates, well formed and broken. KVPREFETCH_FUZZ_SECONDS says how long, KVPREFETCH_FUZZ_SEED replays a run; the seed of every input is in the failure's message.</summary>
public class TemplateFuzzTests(ITestOutputHelper output)
{
    private const string Mark = "\u2063";

    [Fact]
    public void Parsing_any_text_gives_a_template_or_a_typed_error() => Run("parse", random =>
    {
        var source = random.Next(2) == 0 ? Scramble(random, TemplateGrammar.Body(random, 3)) : Soup(random);
        try
        {
            ChatTemplate.Parse(source);
        }
        catch (ChatTemplateException)
        {
        }

        return source;
    });

    /// <summary>Content is text in which every character stands between two marks, so that a mark in template text would be a leak.</summary>
    [Fact]
    public void Rendering_any_template_gives_text_or_a_typed_error_and_content_stays_content() => Run("render", random =>
    {
        var source = TemplateGrammar.Body(random, 4);
        try
        {
            var spans = ChatTemplate.Parse(source).Render(Messages(random), new ChatTemplateOptions { Variables = Variables(random), Clock = FixedClock.Instance });
            for (var i = 0; i < spans.Count; i++)
            {
                Assert.False(spans[i].Text.Length == 0 || (i > 0 && spans[i].Provenance == spans[i - 1].Provenance), "spans are not merged: " + source);
                Assert.False(spans[i].Provenance == Provenance.Template && spans[i].Text.Contains(Mark, StringComparison.Ordinal), "content became template text: " + source);
            }
        }
        catch (ChatTemplateException)
        {
        }

        return source;
    });

    private static JsonArray Messages(Random random)
        => [.. Enumerable.Range(0, random.Next(4)).Select(i => (JsonNode)new JsonObject { ["role"] = Marked(random), ["content"] = Value(random, 2) })];

    private static JsonObject Variables(Random random)
    {
        var variables = new JsonObject();
        foreach (var name in TemplateGrammar.Variables)
        {
            variables[name] = Value(random, 3);
        }

        return variables;
    }

    private static JsonNode? Value(Random random, int depth) => random.Next(depth > 0 ? 9 : 6) switch
    {
        0 => random.Next(-3, 20),
        1 => random.NextDouble() * 100,
        2 => random.Next(2) == 0,
        3 => null,
        < 6 => Marked(random),
        6 => new JsonObject { ["a"] = Value(random, depth - 1), [Marked(random)] = Value(random, depth - 1) },
        _ => new JsonArray([.. Enumerable.Range(0, random.Next(4)).Select(_ => Value(random, depth - 1))]),
    };

    private static string Marked(Random random)
    {
        ReadOnlySpan<string> characters = ["<", "|", "i", "m", "_", ">", " ", "\n", "é", "ß", "👋", "\"", "'", "\\", "%", "{", "}", "1", "\0", "A"];
        var text = new StringBuilder(Mark);
        for (var i = random.Next(6); i > 0; i--)
        {
            text.Append(characters[random.Next(characters.Length)]).Append(Mark[0]);
        }

        return text.ToString();
    }

    private static string Scramble(Random random, string source)
    {
        var text = new StringBuilder(source);
        for (var i = random.Next(6); i > 0 && text.Length > 0; i--)
        {
            var at = random.Next(text.Length);
            switch (random.Next(4))
            {
                case 0:
                    text.Remove(at, Math.Min(text.Length - at, random.Next(1, 8)));
                    break;
                case 1:
                    text.Insert(at, TemplateGrammar.Piece(random));
                    break;
                case 2:
                    text[at] = (char)random.Next(random.Next(2) == 0 ? 128 : 0x10000);
                    break;
                default:
                    text.Insert(at, text.ToString(at, Math.Min(text.Length - at, 20)));
                    break;
            }
        }

        return text.ToString();
    }

    private static string Soup(Random random)
    {
        var text = new StringBuilder();
        for (var i = random.Next(40); i > 0; i--)
        {
            text.Append(TemplateGrammar.Piece(random)).Append(random.Next(3) == 0 ? " " : "");
        }

        return text.ToString();
    }

    private void Run(string name, Func<Random, string> once)
    {
        var first = int.TryParse(Environment.GetEnvironmentVariable("KVPREFETCH_FUZZ_SEED"), out var given) ? given : Environment.TickCount & int.MaxValue;
        output.WriteLine($"{name}: first seed {first}");
        var clock = Stopwatch.StartNew();
        var count = 0;
        for (var seed = first; clock.Elapsed.TotalSeconds < TestAssets.FuzzSeconds; seed = unchecked(seed + 1) & int.MaxValue, count++)
        {
            var started = clock.Elapsed;
            var source = "";
            try
            {
                source = once(new Random(seed));
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"{name}: seed {seed}", e);
            }

            var taken = clock.Elapsed - started;
            Assert.True(taken < TimeSpan.FromSeconds(10), $"{name}: seed {seed} took {taken}: {source}");
        }

        output.WriteLine($"{name}: {count} inputs");
    }
}

/// <summary>Makes templates that mostly parse.</summary>
internal static class TemplateGrammar
{
    public static readonly string[] Variables = ["s", "t", "n", "l", "d", "q"];

    private static readonly string[] Names = [.. Variables, "messages", "nope", "x", "y", "ns", "loop", "m"];

    private static readonly string[] Literals =
        ["'a'", "'%s|%s'", "'{} {a}'", "'<|im_end|>'", "''", "'é\\n'", "'5'", "0", "1", "7", "-2", "1.5", "true", "false", "none", "[]", "{}", "()", "[1, 'b']", "{'a': 1}", "9223372036854775807"];

    private static readonly string[] Filters =
    [
        "upper", "lower", "title", "capitalize", "trim", "trim('<')", "length", "list", "first", "last", "reverse", "sort", "unique", "string", "int", "float", "round", "round(1, 'ceil')", "abs", "join",
        "join(',')", "join(s)", "tojson", "tojson(indent=2)", "tojson(ensure_ascii=true, sort_keys=true)", "default('D')", "default(s, true)", "safe", "e", "forceescape", "indent", "indent(s, true)",
        "replace('a', s)", "replace('', '.')", "truncate(6)", "truncate(5, true, '..', 0)", "center(9)", "map('upper')", "map(attribute='a')", "select", "select('string')", "reject('none')",
        "selectattr('a')", "rejectattr('a', 'defined')", "batch(2, s)", "slice(2)", "sum", "min", "max", "dictsort", "items", "wordcount", "format(s)", "format(s, 1)", "urlencode", "pprint",
        "groupby('a')", "attr('a')", "xmlattr", "striptags", "filesizeformat", "count", "d",
    ];

    private static readonly string[] MethodCalls =
    [
        "upper()", "lower()", "title()", "casefold()", "swapcase()", "capitalize()", "strip()", "lstrip('<')", "rstrip(s)", "split()", "split('|')", "rsplit(none, 1)", "splitlines(true)", "partition('m')",
        "startswith('<')", "endswith(s)", "find('i')", "replace('i', s, 1)", "replace('', 'x')", "join(l)", "count('m')", "index(1)", "format(s, 1, a=s)", "format_map(d)", "zfill(8)", "center(9, '*')",
        "ljust(9)", "expandtabs()", "removeprefix('<')", "isalpha()", "istitle()", "items()", "keys()", "values()", "get('a')", "get('a', s)", "copy()", "append(1)", "a()", "cycle(s, 1)", "changed(s)",
    ];

    private static readonly string[] TestNames =
        ["defined", "none", "string", "mapping", "sequence", "iterable", "number", "odd", "even", "upper", "lower", "eq(s)", "in(l)", "divisibleby(2)", "sameas(none)", "callable", "escaped", "gt(2)"];

    private static readonly string[] Pieces =
    [
        "{{", "}}", "{%", "%}", "{#", "#}", "{%-", "-%}", "{{-", "-}}", "+%}", "if", "elif", "else", "endif", "for", "in", "endfor", "set", "endset", "macro", "endmacro", "call", "endcall", "filter",
        "endfilter", "raw", "endraw", "with", "endwith", "block", "endblock", "generation", "endgeneration", "break", "recursive", "is", "not", "and", "or", "(", ")", "[", "]", "{", "}", "|", ".", ",", ":",
        "=", "==", "~", "+", "-", "**", "//", "x", "loop", "'", "\"", "'a'", "1", "1.5", "0x", "\\", "\n", "\r\n", "é", "\0", "👋", "\ud800", "import", "include",
    ];

    public static string Piece(Random random) => Pick(random, Pieces);

    public static string Body(Random random, int depth)
    {
        var text = new StringBuilder();
        for (var i = random.Next(1, 4); i > 0; i--)
        {
            text.Append(Pick(random, ["", "\n", "  \n  ", "a", " b\n", "<|im_start|>"])).Append(Statement(random, depth));
        }

        return text.Append(Pick(random, ["", "\n", " "])).ToString();
    }

    private static string Statement(Random random, int depth)
    {
        if (depth <= 0)
        {
            return $"{{{{ {Expression(random, 2)} }}}}";
        }

        string Tag(string inside) => $"{{%{Pick(random, ["", "-", "+"])} {inside} {Pick(random, ["", "-", "+"])}%}}";
        return random.Next(14) switch
        {
            0 => Tag($"if {Expression(random, 2)}") + Body(random, depth - 1) + Tag("else") + Body(random, depth - 1) + Tag("endif"),
            1 => Tag($"for x in {Expression(random, 2)}") + Body(random, depth - 1) + "{{ loop.index ~ loop.nextitem ~ loop.length }}" + Tag("endfor"),
            2 => Tag($"for x, y in d|items if {Expression(random, 1)}") + Body(random, depth - 1) + Tag("else") + Body(random, depth - 1) + Tag("endfor"),
            3 => Tag($"for x in {Expression(random, 1)} recursive") + "{{ x }}{% if x is iterable and x is not string %}{{ loop(x) }}{% endif %}" + Tag("endfor"),
            4 => Tag($"set {Pick(random, ["x", "y", "s", "x, y"])} = {Expression(random, 3)}"),
            5 => Tag("set x" + Pick(random, ["", " | upper"])) + Body(random, depth - 1) + Tag("endset"),
            6 => Tag("macro m(x, y=x)") + Body(random, depth - 1) + "{{ caller() if caller }}" + Tag("endmacro") + $"{{{{ m({Expression(random, 1)}) }}}}",
            7 => Tag("macro m(x)") + Body(random, depth - 1) + Tag("endmacro") + Tag($"call m({Expression(random, 1)})") + Body(random, depth - 1) + Tag("endcall"),
            8 => Tag("filter " + Pick(random, Filters)) + Body(random, depth - 1) + Tag("endfilter"),
            9 => Tag($"set ns = namespace(a={Expression(random, 1)})") + Tag($"set ns.a = ns.a ~ {Expression(random, 1)}") + "{{ ns.a }}",
            _ => $"{{{{{Pick(random, ["", "-"])} {Expression(random, 4)} }}}}",
        };
    }

    private static string Expression(Random random, int depth)
    {
        if (depth <= 0 || random.Next(5) == 0)
        {
            return random.Next(3) == 0 ? Pick(random, Literals) : Pick(random, Names);
        }

        string Inner() => $"({Expression(random, depth - 1)})";
        return random.Next(14) switch
        {
            < 4 => $"{Inner()}|{Pick(random, Filters)}",
            < 7 => $"{Inner()}.{Pick(random, MethodCalls)}",
            7 => $"{Inner()}[{Expression(random, depth - 1)}]",
            8 => $"{Inner()}[{Pick(random, ["", "1", "-2"])}:{Pick(random, ["", "2", "-1"])}{Pick(random, ["", ":", ":2", ":-1"])}]",
            9 => $"{Inner()} {Pick(random, ["+", "-", "*", "/", "//", "%", "~", "~", "+", "**"])} {Inner()}",
            10 => $"{Inner()} {Pick(random, ["==", "!=", "<", ">=", "in", "not in", "and", "or"])} {Inner()}",
            11 => $"{Inner()} is {Pick(random, ["", "not "])}{Pick(random, TestNames)}",
            12 => $"{Inner()} if {Inner()} else {Inner()}",
            _ => $"[{Expression(random, depth - 1)}, {Expression(random, depth - 1)}]",
        };
    }

    private static string Pick(Random random, ReadOnlySpan<string> choices) => choices[random.Next(choices.Length)];
}
