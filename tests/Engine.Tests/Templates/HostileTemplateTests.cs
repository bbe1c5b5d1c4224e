using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Templates;

namespace KvPrefetch.Tests.Templates;

public class HostileTemplateTests
{
    private const string Text64 = """{"s":"0123456789012345678901234567890123456789012345678901234567890123"}""";

    [Theory]
    [InlineData("{% if x %}")]
    [InlineData("{% if %}{% endif %}")]
    [InlineData("{% for i in x %}")]
    [InlineData("{% for %}{% endfor %}")]
    [InlineData("{% for i x %}{% endfor %}")]
    [InlineData("{% macro m() %}")]
    [InlineData("{% macro m %}{% endmacro %}")]
    [InlineData("{% macro m(a=1, b) %}{% endmacro %}")]
    [InlineData("{% set x %}")]
    [InlineData("{% set 1 = 2 %}")]
    [InlineData("{% call m() %}")]
    [InlineData("{% call 1 %}{% endcall %}")]
    [InlineData("{% filter upper %}")]
    [InlineData("{# never closed")]
    [InlineData("{% raw %}never closed")]
    [InlineData("{{ 'never closed }}")]
    [InlineData("{{ x")]
    [InlineData("{% x")]
    [InlineData("{{ (x }}")]
    [InlineData("{{ x) }}")]
    [InlineData("{{ [x) }}")]
    [InlineData("{% endif %}")]
    [InlineData("{% endfor %}")]
    [InlineData("{% else %}")]
    [InlineData("{% elif x %}")]
    [InlineData("{% break %}")]
    [InlineData("{% continue %}")]
    [InlineData("{% for i in x %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}")]
    [InlineData("{% unknown_tag %}")]
    [InlineData("{{ 1 2 }}")]
    [InlineData("{{ }}")]
    [InlineData("{{ f(a=1, 2) }}")]
    [InlineData("{{ x is }}")]
    [InlineData("{{ x| }}")]
    [InlineData("{{ a $ b }}")]
    [InlineData("{{ '\\x4' }}")]
    public void JT01_What_does_not_parse_is_a_syntax_error_with_its_line(string template)
        => Assert.Equal(3, Rendering.Fails(ChatTemplateError.Syntax, "\n\n" + template).Line);

    [Theory]
    [InlineData("(", ")", 100_000)]
    [InlineData("[", "]", 100_000)]
    [InlineData("{1:", "}", 100_000)]
    [InlineData("x[", "]", 100_000)]
    [InlineData("f(", ")", 100_000)]
    [InlineData("not ", "", 200_000)]
    [InlineData("-", "", 400_000)]
    [InlineData("1 if ", "", 100_000)]
    [InlineData("1 if 1 else ", "", 60_000)]
    [InlineData("x|default(", ")", 60_000)]
    public void JT02_Expressions_nested_too_deep_are_refused(string open, string close, int count)
        => Rendering.Fails(ChatTemplateError.Limit, "{{ " + Repeat(open, count) + "1" + Repeat(close, count) + " }}");

    [Theory]
    [InlineData("|upper", 50_000)]
    [InlineData(".a", 100_000)]
    [InlineData("[0]", 100_000)]
    [InlineData("()", 100_000)]
    [InlineData(" + 1", 100_000)]
    [InlineData(" ~ 1", 100_000)]
    [InlineData(" and 1", 100_000)]
    [InlineData(" < 1", 100_000)]
    [InlineData(" if 1", 100_000)]
    public void JT02_Long_chains_are_refused(string link, int count)
        => Rendering.Fails(ChatTemplateError.Limit, "{{ x" + Repeat(link, count) + " }}");

    [Theory]
    [InlineData("{% if 1 %}", "{% endif %}")]
    [InlineData("{% for i in [1] %}", "{% endfor %}")]
    [InlineData("{% macro m() %}", "{% endmacro %}")]
    [InlineData("{% set x %}", "{% endset %}")]
    [InlineData("{% filter upper %}", "{% endfilter %}")]
    public void JT02_Blocks_nested_too_deep_are_refused(string open, string close)
        => Rendering.Fails(ChatTemplateError.Limit, Repeat(open, 20_000) + Repeat(close, 20_000));

    [Theory]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")]
    [InlineData("{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}")]
    [InlineData("{% macro m() %}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}{{ m() }}")]
    [InlineData("{% set ns = namespace() %}{% macro m(f) %}{{ f(f) }}{% endmacro %}{{ m(m) }}")]
    [InlineData("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}")]
    [InlineData("{% set ns = namespace(g=[1]) %}{% for i in range(5000) %}{% set ns.g = ns.g|map('string') %}{% endfor %}{{ ns.g|list }}")]
    [InlineData("{% set ns = namespace(v=1) %}{% for i in range(5000) %}{% set ns.v = [ns.v] %}{% endfor %}{{ ns.v }}")]
    [InlineData("{% set ns = namespace(v=1) %}{% for i in range(5000) %}{% set ns.v = [ns.v] %}{% endfor %}{{ ns.v|tojson }}")]
    [InlineData("{% set ns = namespace(v=1, w=1) %}{% for i in range(5000) %}{% set ns.v = [ns.v] %}{% set ns.w = [ns.w] %}{% endfor %}{{ ns.v == ns.w }}")]
    [InlineData("{% set ns = namespace(v=1, w=1) %}{% for i in range(5000) %}{% set ns.v = [ns.v] %}{% set ns.w = [ns.w] %}{% endfor %}{{ ns.v < ns.w }}")]
    [InlineData("{% set ns = namespace(v=1) %}{% for i in range(5000) %}{% set ns.v = (ns.v,) %}{% endfor %}{{ {ns.v: 1} }}")]
    [InlineData("{% set ns = namespace(v=1) %}{% for i in range(5000) %}{% set ns.v = {1: ns.v} %}{% endfor %}{{ ns.v|pprint }}")]
    public void JT03_Endless_recursion_is_refused_and_does_not_end_the_process(string template) => Bounded(() => Rendering.Fails(ChatTemplateError.Limit, template));

    [Theory]
    [InlineData("{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}")]
    [InlineData("{% for a in range(99999) %}{% for b in range(99999) %}{% set x = [a, b] %}{% endfor %}{% endfor %}")]
    [InlineData("{% set ns = namespace(l=[]) %}{% for a in range(99999) %}{% set ns.l = ns.l + [a] %}{% endfor %}")]
    [InlineData("{% for a in range(99999) %}{{ range(99999)|list|length }}{% endfor %}")]
    [InlineData("{% for a in range(99999) %}{{ range(99999)|sum }}{% endfor %}")]
    [InlineData("{% for a in range(99999) %}{{ 7 in range(1, 99999)|list }}{% endfor %}")]
    [InlineData("{% for a in range(99999) %}{{ (s * 100000) == (s * 100000) }}{% endfor %}")]
    [InlineData("{% set ns = namespace(l=[]) %}{% for a in range(99999) %}{% set ns.l = ns.l + [s * 10000 ~ a] %}{% endfor %}")]
    [InlineData("{% set t = s * 100000 %}{% for a in range(99999) %}{{ t.find('x') }}{{ 'x' in t }}{{ t.split('x')|length }}{% endfor %}")]
    [InlineData("{% set t = s * 100000 %}{% for a in range(99999) %}{% if t < t ~ 'x' %}{% endif %}{% endfor %}")]
    [InlineData("{% set t = (s * 100000)|list %}{% for a in range(99999) %}{% if t|sort %}{% endif %}{% endfor %}")]
    [InlineData("{% for a in range(99999) %}{% for b in range(99999) %}{{ s }}{% endfor %}{% endfor %}")]
    [InlineData("{% set t = s * 100000 %}{% for a in range(99999) %}{% if t is lower %}{% endif %}{{ t|wordcount }}{% endfor %}")]
    [InlineData("{% set t = s * 100000 %}{% for a in range(99999) %}{% set u = t ~ 'x' %}{{ u|int }}{{ u|float }}{{ t is upper }}{{ {t: 1}[t] }}{% endfor %}")]
    [InlineData("{% set t = s * 100000 %}{% for a in range(99999) %}{{ t.index('0', 5000000) }}{{ t.isalnum() }}{{ t[5000000] }}{% endfor %}")]
    public void JT04_Loops_that_run_on_and_on_end_by_the_budget(string template) => Bounded(() => Rendering.Fails(ChatTemplateError.Limit, template, Text64));

    [Theory]
    [InlineData("{{ range(10**9) }}", ChatTemplateError.Limit)]
    [InlineData("{{ range(-9223372036854775807, 9223372036854775807) }}", ChatTemplateError.Limit)]
    [InlineData("{{ range(0, 1, 0) }}", ChatTemplateError.Raised)]
    [InlineData("{{ range('a') }}", ChatTemplateError.Raised)]
    [InlineData("{{ range() }}", ChatTemplateError.Raised)]
    public void JT05_Ranges_are_bounded(string template, ChatTemplateError reason) => Bounded(() => Rendering.Fails(reason, template));

    [Theory]
    [InlineData("{{ 'a' * 10**9 }}")]
    [InlineData("{{ 'ab' * 9223372036854775807 }}")]
    [InlineData("{{ [1] * 10**9 }}")]
    [InlineData("{{ (1, 2) * 9223372036854775807 }}")]
    public void JT06_Repetition_is_refused_before_it_is_allocated(string template) => Bounded(() => Rendering.Fails(ChatTemplateError.Limit, template), megabytes: 1);

    [Theory]
    [InlineData("{{ 10 ** 10 ** 10 }}")]
    [InlineData("{{ 9223372036854775807 + 1 }}")]
    [InlineData("{{ -9223372036854775807 - 2 }}")]
    [InlineData("{{ 9223372036854775807 * 2 }}")]
    [InlineData("{{ 2 ** 9223372036854775807 }}")]
    [InlineData("{{ 1 / 0 }}")]
    [InlineData("{{ 1 // 0 }}")]
    [InlineData("{{ 1 % 0 }}")]
    [InlineData("{{ 1.0 / 0 }}")]
    [InlineData("{{ 0 ** -1 }}")]
    [InlineData("{{ 1e300 ** 2 }}")]
    [InlineData("{{ (-9223372036854775807 - 1)|abs }}")]
    [InlineData("{{ (-9223372036854775807 - 1) // -1 }}")]
    [InlineData("{{ 1e30|int }}")]
    [InlineData("{{ '99999999999999999999'|int }}")]
    public void JT07_Arithmetic_is_checked(string template) => Bounded(() => Rendering.Fails(ChatTemplateError.Raised, template));

    [Theory]
    [InlineData("{% set ns = namespace(x='a') %}{% for i in range(64) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}")]
    [InlineData("{% macro m(n) %}{% if n %}{{ m(n - 1) ~ m(n - 1) }}{% endif %}x{% endmacro %}{{ m(60) }}")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(64) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}")]
    [InlineData("{% set ns = namespace(x='a', y='b') %}{% for i in range(64) %}{% set ns.x = ns.x.join([ns.y, ns.y, ns.y]) %}{% set ns.y = ns.x %}{% endfor %}")]
    public void JT08_Doubling_is_refused(string template) => Bounded(() => Rendering.Fails(ChatTemplateError.Limit, template));

    [Theory]
    [InlineData("{{ 'a'|center(10**9) }}")]
    [InlineData("{{ 'a'.center(10**9) }}")]
    [InlineData("{{ 'a'.ljust(10**18) }}")]
    [InlineData("{{ 'a'.zfill(10**18) }}")]
    [InlineData("{{ 'a\tb'.expandtabs(10**9) }}")]
    [InlineData("{{ 'a\nb'|indent(10**9) }}")]
    [InlineData("{{ [1]|tojson(indent=10**9) }}")]
    [InlineData("{{ [[[[1]]]]|tojson(indent='" + "12345678" + "' * 1000000) }}")]
    [InlineData("{{ '%999999999d'|format(1) }}")]
    [InlineData("{{ '%*d'|format(999999999, 1) }}")]
    [InlineData("{{ '%.999999999f'|format(1) }}")]
    [InlineData("{{ '{:>1000000000}'.format(1) }}")]
    [InlineData("{{ '{:.1000000000f}'.format(1.5) }}")]
    [InlineData("{{ '{:{}}'.format(1, 1000000000) }}")]
    [InlineData("{{ [1]|batch(10**9, 'x')|list }}")]
    [InlineData("{{ [1]|slice(10**9)|list }}")]
    public void JT09_Widths_are_bounded(string template) => Bounded(() => Rendering.Fails(ChatTemplateError.Limit, template));

    [Theory]
    [InlineData("{{ (s * 1000)|replace('', s * 1000) }}")]
    [InlineData("{{ (s * 1000)|list|join(s * 1000) }}")]
    [InlineData("{{ (s * 1000).replace('0', s * 100) }}")]
    [InlineData("{{ '%s' * 1000 % ((s * 1000,) * 1000) }}")]
    public void JT10_Amplification_is_refused(string template) => Bounded(() => Rendering.Fails(ChatTemplateError.Limit, template, Text64));

    [Theory]
    [InlineData("{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}")]
    [InlineData("{% set ns = namespace() %}{% set ns.x = [{'a': ns}] %}{{ ns.x }}")]
    [InlineData("{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x|tojson }}")]
    [InlineData("{% set ns = namespace() %}{% set ns.x = ns %}{{ ns|string }}")]
    public void JT11_Values_that_contain_themselves_are_refused(string template) => Bounded(() => Rendering.Fails(ChatTemplateError.Raised, template));

    [Theory]
    [InlineData("{{ ''.__class__.__mro__[1].__subclasses__() }}")]
    [InlineData("{{ ''.__class__ }}")]
    [InlineData("{{ ''['__class__'] }}")]
    [InlineData("{{ ''|attr('__class__') }}")]
    [InlineData("{{ [''] | map(attribute='__class__') | list }}")]
    [InlineData("{{ self._TemplateReference__context.cycler.__init__.__globals__.os.popen('id').read() }}")]
    [InlineData("{{ cycler.__init__.__globals__.os }}")]
    [InlineData("{{ joiner.__init__ }}")]
    [InlineData("{{ namespace.__init__ }}")]
    [InlineData("{{ range.__call__(3) }}")]
    [InlineData("{{ '{0.__class__}'.format(1) }}")]
    [InlineData("{{ '{a.__init__.__globals__}'.format(a=cycler) }}")]
    [InlineData("{{ '{a.__class__}'.format_map({'a': 1}) }}")]
    [InlineData("{{ messages.append(1) }}")]
    [InlineData("{{ {}.update({'a': 1}) }}")]
    [InlineData("{{ {'a': 1}.pop('a') }}")]
    [InlineData("{{ [].append }}{{ [].append(1) }}")]
    [InlineData("{% set ns = namespace(_a=1) %}{{ ns._a.b }}")]
    public void JT12_Nothing_leads_out_of_the_sandbox(string template) => Rendering.Fails(ChatTemplateError.Forbidden, template);

    [Theory]
    [InlineData("{% if 1 %}{{ x.GetType() }}{% endif %}")]
    [InlineData("{{ x.Assembly.FullName }}")]
    [InlineData("{{ (1).GetHashCode }}{{ [].Count.x }}")]
    [InlineData("{{ {}.Keys.x }}")]
    public void JT12_Members_of_dotnet_types_do_not_exist(string template) => Rendering.Fails(ChatTemplateError.Raised, template, """{"x":"text"}""");

    [Theory]
    [InlineData("{{ ('{}'|attr('format'))('a') }}")]
    [InlineData("{% set f = '{0.x}'.format %}{{ f(1) }}")]
    [InlineData("{{ {'f': 'a'.upper}.f() }}")]
    [InlineData("{% set ns = namespace(f='a'.join) %}{{ ns.f(['b']) }}")]
    [InlineData("{{ ['a'.upper][0]() }}")]
    public void JT13_A_method_cannot_be_kept_and_called_later(string template) => Rendering.Fails(ChatTemplateError.Forbidden, template);

    [Theory]
    [InlineData("{% include 'a' %}")]
    [InlineData("{% import 'a' as b %}")]
    [InlineData("{% from 'a' import b %}")]
    [InlineData("{% extends 'a' %}")]
    [InlineData("{% if false %}{% include 'a' %}{% endif %}")]
    public void JT14_Templates_cannot_access_files(string template)
        => Assert.Contains("templates cannot access files", Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(template)).Message, StringComparison.Ordinal);

    [Fact]
    public void JT15_raise_exception_gives_its_text_shortened()
    {
        var error = Rendering.Fails(ChatTemplateError.Raised, "\n{{ raise_exception('Only user roles, not ' ~ r) }}", """{"r":"robot"}""");
        Assert.Contains("Only user roles, not robot", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, error.Line);
        Assert.True(Rendering.Fails(ChatTemplateError.Raised, "{{ raise_exception(s) }}", $$"""{"s":"{{new string('x', 5000)}}"}""").Message.Length < 150);
    }

    [Theory]
    [InlineData("{{ strftime_now('%Q') }}", ChatTemplateError.Raised)]
    [InlineData("{{ strftime_now('%') }}", null)]
    [InlineData("{{ strftime_now('%-') }}", ChatTemplateError.Raised)]
    [InlineData("{{ strftime_now('%c' * 1000000) }}", ChatTemplateError.Limit)]
    [InlineData("{{ strftime_now(5) }}", ChatTemplateError.Raised)]
    [InlineData("{{ strftime_now('%999999Y') }}", ChatTemplateError.Raised)]
    public void JT16_Date_formats_are_a_closed_list(string template, ChatTemplateError? reason) => Bounded(() =>
    {
        if (reason is null)
        {
            Rendering.Text(template);
        }
        else
        {
            Rendering.Fails(reason.Value, template);
        }
    });

    [Theory]
    [InlineData("{{ x|nofilter }}", "nofilter")]
    [InlineData("{% for x in [] %}{{ x|nofilter }}{% endfor %}", "nofilter")]
    [InlineData("{% macro m() %}{{ x|nofilter }}{% endmacro %}", "nofilter")]
    [InlineData("{{ x is notest }}", "notest")]
    [InlineData("{{ nofunc(1) }}", "nofunc")]
    [InlineData("{{ x.nomethod() }}", "nomethod")]
    [InlineData("{{ x|urlize }}", "urlize")]
    [InlineData("{% filter nofilter %}{% endfilter %}", "nofilter")]
    public void JT17_Unknown_names_are_found_when_the_template_is_read(string template, string name)
    {
        var error = Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(template));
        Assert.Equal(ChatTemplateError.Unsupported, error.Reason);
        Assert.Contains($"'{name}'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{% if false %}{{ x|nofilter }}{% endif %}a", "a")]
    [InlineData("{{ 'a' if true else x|nofilter }}", "a")]
    [InlineData("{% if false %}{{ nofunc() }}{{ x.nomethod() }}{% endif %}a", "a")]
    [InlineData("{% for i in [] %}{{ nofunc() }}{% endfor %}a", "a")]
    public void Unknown_names_that_no_rendering_may_reach_do_no_harm_as_in_Jinja(string template, string expected) => Assert.Equal(expected, Rendering.Text(template));

    [Fact]
    public void JT19_A_template_of_more_than_a_million_characters_is_refused()
        => Assert.Equal(ChatTemplateError.Limit, Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse(new string('x', (1 << 20) + 1))).Reason);

    [Fact]
    public void JT19_Line_breaks_become_line_feeds_and_NUL_is_text()
    {
        Assert.Equal("a\nb\nc\0\nd", Rendering.Text("a\r\nb\rc\0\r\n{% if true %}\r\nd{% endif %}"));
        Assert.Equal("\uFEFFa", Rendering.Text("\uFEFFa"));
    }

    [Theory]
    [InlineData("{% for m in messages %}{% for n in messages[loop.index0:] %}{% if n.role == 'user' and n.content is string %}{% set x = n.content|trim %}{% endif %}{% endfor %}{{ m.content }}{% endfor %}")]
    [InlineData("{% set ns = namespace(t='') %}{% for m in messages %}{% set ns.t = ns.t ~ '<|' ~ m.role ~ '|>' ~ m.content %}{% endfor %}{{ ns.t }}")]
    public void JT20_Two_hundred_turns_fit_the_budget_of_a_quadratic_template(string template)
    {
        var messages = new JsonArray([.. Enumerable.Range(0, 200).Select(i => (JsonNode)new JsonObject { ["role"] = i % 2 == 0 ? "user" : "assistant", ["content"] = new string('x', 5000) })]);
        Assert.NotEmpty(ChatTemplate.Parse(template).Render(messages));
    }

    [Fact]
    public void JT20_Two_hundred_turns_fit_every_real_template()
    {
        var goldens = Goldens.Load();
        var messages = new JsonArray([.. Enumerable.Range(0, 201).Select(i => (JsonNode)new JsonObject { ["role"] = i % 2 == 0 ? "user" : "assistant", ["content"] = $"turn {i}: " + new string('x', 5000) })]);
        foreach (var name in goldens.Names)
        {
            try
            {
                Assert.NotEmpty(goldens.Template(name).Render(messages, new ChatTemplateOptions { Clock = FixedClock.Instance }));
            }
            catch (ChatTemplateException e)
            {
                Assert.True(e.Reason == ChatTemplateError.Raised, $"{name}: {e.Message}");
            }
        }
    }

    [Fact]
    public void JT21_A_template_that_refuses_roles_says_why()
        => Assert.Contains(
            "System role not supported",
            Rendering.Fails(ChatTemplateError.Raised, "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}", messages: """[{"role":"system"}]""").Message,
            StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"tokenize":true,"messages":[]}""")]
    [InlineData("""{"messages":[]}""")]
    [InlineData("""{"tools":[]}""")]
    [InlineData("""{"add_generation_prompt":false}""")]
    [InlineData("""{"chat_template":"x"}""")]
    [InlineData("""{"bos_token":"x"}""")]
    [InlineData("""{"raise_exception":1}""")]
    [InlineData("""{"range":1}""")]
    public void JT22_Variables_cannot_take_reserved_names(string variables) => Rendering.Fails(ChatTemplateError.Forbidden, "x", variables);

    [Fact]
    public void JT22_Input_nested_too_deep_is_refused()
    {
        JsonNode node = new JsonArray();
        for (var i = 0; i < 5_000; i++)
        {
            node = new JsonArray(node);
        }

        var error = Assert.Throws<ChatTemplateException>(() => ChatTemplate.Parse("x").Render(node.AsArray()));
        Assert.Equal(ChatTemplateError.Limit, error.Reason);
    }

    [Fact]
    public void Integers_beyond_64_bits_and_doubled_keys_of_the_input_are_handled()
    {
        Assert.Equal("18446744073709551616 true", Rendering.Text("{{ b|tojson }} {{ (b > 5)|tojson }}", """{"b":18446744073709551616}"""));
        Rendering.Fails(ChatTemplateError.Raised, "{{ b + 1 }}", """{"b":18446744073709551616}""");
        Rendering.Fails(ChatTemplateError.Raised, "x", """{"b":{"a":1,"a":2}}""");
    }

    /// <summary>Two seconds and 64 MiB are the promise for a template that never ends. On a machine with other work one of five runs has to keep the time; each keeps the memory.</summary>
    private static void Bounded(Action action, int megabytes = 64)
    {
        var best = TimeSpan.MaxValue;
        for (var run = 0; run < 5 && best > TimeSpan.FromSeconds(2); run++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var clock = Stopwatch.StartNew();
            action();
            best = clock.Elapsed < best ? clock.Elapsed : best;
            var allocated = (GC.GetAllocatedBytesForCurrentThread() - before) >> 20;
            Assert.True(allocated <= megabytes, $"{allocated} MiB allocated");
        }

        Assert.True(best <= TimeSpan.FromSeconds(2), $"{best}");
    }

    private static string Repeat(string text, int count) => new StringBuilder().Insert(0, text, count).ToString();
}
