using KvPrefetch.Engine;

namespace KvPrefetch.Tests.Provider;

/// <summary>What a template has no place for is written otherwise, loses no word, and is said once in the log.</summary>
public sealed class PromptFallbackTests
{
    private const string Plain = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]";
    private const string NoSystem = "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]";
    private const string Alternating =
        "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate') }}{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]";
    private const string Tools = """[{"type":"function","function":{"name":"weather","description":"Of a city.","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]""";

    private const string Round =
        """
        [{"role":"user","content":"Weather?"},
         {"role":"assistant","content":"","tool_calls":[{"id":"call_abcdefghijkl","type":"function","function":{"name":"weather","arguments":{"city":"Oslo"}}},
                                                        {"id":"call_mnopqrstuvwx","type":"function","function":{"name":"weather","arguments":{"city":"Rome"}}}]},
         {"role":"tool","content":"snow","tool_call_id":"call_abcdefghijkl","name":"weather"},
         {"role":"tool","content":"sun","tool_call_id":"call_mnopqrstuvwx","name":"weather"}]
        """;

    private static void Writes(string template, string messages, string expected, string? said, string? tools = null)
    {
        var (format, log) = Templates.Format(template);
        Assert.Equal(expected, Templates.Text(format, messages, tools));
        Assert.Equal(expected, Templates.Text(format, messages, tools));
        if (said is null)
        {
            Assert.Empty(log);
        }
        else
        {
            Assert.Single(log, sentence => sentence.Contains(said, StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("""[{"role":"system","content":"S"},{"role":"user","content":"U"}]""", "[user]S\n\nU[assistant]")]
    [InlineData("""[{"role":"system","content":"S"},{"role":"user","content":""}]""", "[user]S[assistant]")]
    [InlineData("""[{"role":"system","content":"S"}]""", "[user]S[assistant]")]
    [InlineData("""[{"role":"user","content":"U"},{"role":"system","content":"S"}]""", "[user]U\n\nS[assistant]")]
    [InlineData("""[{"role":"system","content":"S"},{"role":"user","content":"U"},{"role":"assistant","content":"A"},{"role":"system","content":"T"},{"role":"user","content":"V"}]""", "[user]S\n\nU[assistant]A[user]T\n\nV[assistant]")]
    public void System_text_goes_in_front_of_the_next_user_turn_where_there_is_no_system_role(string messages, string expected) => Writes(NoSystem, messages, expected, "no system role");

    [Theory]
    [InlineData("""[{"role":"user","content":"U"},{"role":"user","content":"V"}]""", "[user]U\n\nV[assistant]", "two turns of one role")]
    [InlineData("""[{"role":"user","content":"U"},{"role":"assistant","content":"A"},{"role":"assistant","content":"B"},{"role":"user","content":"V"}]""", "[user]U[assistant]A\n\nB[user]V[assistant]", "two turns of one role")]
    [InlineData("""[{"role":"assistant","content":"A"},{"role":"user","content":"V"}]""", "[user][assistant]A[user]V[assistant]", "two turns of one role")]
    [InlineData("""[{"role":"user","content":"U"},{"role":"assistant","content":"A"}]""", "[user]U[assistant]A[assistant]", null)]
    public void Turns_that_a_template_refuses_are_merged(string messages, string expected, string? said) => Writes(Alternating, messages, expected, said);

    [Fact]
    public void A_system_message_in_the_middle_that_a_template_refuses_goes_to_the_user()
        => Writes(
            "{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('first only') }}{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}",
            """[{"role":"system","content":"S"},{"role":"user","content":"U"},{"role":"system","content":"T"},{"role":"user","content":"V"}]""",
            "[system]S[user]U[user]T\n\nV",
            "no system role after the start");

    [Fact]
    public void Tools_that_a_template_does_not_know_are_declared_in_the_system_text()
    {
        var (format, log) = Templates.Format(Plain);
        var text = Templates.Text(format, Round, Tools);
        Assert.StartsWith("[system]# Tools", text, StringComparison.Ordinal);
        Assert.Contains("""{"name":"weather","description":"Of a city.","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}""", text, StringComparison.Ordinal);
        Assert.EndsWith(
            "[user]Weather?[assistant]<tool_call>\n{\"name\":\"weather\",\"arguments\":{\"city\":\"Oslo\"}}\n</tool_call>\n<tool_call>\n{\"name\":\"weather\",\"arguments\":{\"city\":\"Rome\"}}\n</tool_call>" +
            "[user]<tool_response>\nsnow\n</tool_response>\n<tool_response>\nsun\n</tool_response>[assistant]",
            text,
            StringComparison.Ordinal);
        Assert.Single(log, s => s.Contains("knows no tools", StringComparison.Ordinal));
    }

    [Fact]
    public void Without_system_role_the_section_of_tools_is_the_users() =>
        Assert.StartsWith("[user]# Tools", Templates.Text(Templates.Format(NoSystem).Format, Round, Tools), StringComparison.Ordinal);

    [Theory]
    [InlineData("{{ c.function.arguments.city }}", "")] // an object
    [InlineData("{{ c.function.arguments + '' }}", "")] // text
    [InlineData("{{ c.function.arguments.city }}", "{% if m.content is not none %}{{ raise_exception('no content beside calls') }}{% endif %}")]
    public void Arguments_and_content_come_as_the_template_wants_them(string arguments, string guard)
    {
        var template = "{% for m in messages %}{% if m.tool_calls %}" + guard + "{% for c in m.tool_calls %}<{{ c.function.name }}|" + arguments + ">{% endfor %}{% else %}[{{ m.role }}]{{ m.content }}{% endif %}{% endfor %}";
        var (format, log) = Templates.Format(template);
        var text = Templates.Text(format, Round);
        Assert.StartsWith("[user]Weather?<weather|", text, StringComparison.Ordinal);
        Assert.Contains(arguments.Contains('+', StringComparison.Ordinal) ? """{"city":"Rome"}""" : "|Rome>", text, StringComparison.Ordinal);
        Assert.EndsWith("[tool]snow[tool]sun", text, StringComparison.Ordinal);
        Assert.Empty(log);
    }

    [Fact]
    public void A_template_that_takes_one_call_a_turn_gets_one_with_its_result() => Writes(
        "{% for m in messages %}{% if m.tool_calls %}{% if m.tool_calls|length > 1 %}{{ raise_exception('one call at a time') }}{% endif %}<{{ m.tool_calls[0].function.arguments.city }}{{ m.tool_calls[0].function.name[:0] }}>{{ m.tool_calls[0].function.name }}{% else %}[{{ m.role }}]{{ m.content }}{% endif %}{% endfor %}",
        Round,
        "[user]Weather?<Oslo>weather[tool]snow<Rome>weather[tool]sun",
        "one call a turn");

    [Fact]
    public void Ids_of_other_providers_become_what_the_strictest_template_takes() => Writes(
        "{% for m in messages %}{% for c in m.tool_calls or [] %}{% if c.id|length != 9 %}{{ raise_exception('ids have 9 characters') }}{% endif %}<{{ c.id }} {{ c.function.name }} {{ c.function.arguments.city }}>{% endfor %}{{ m.content }}{{ m.tool_call_id }}{% endfor %}",
        Round,
        "Weather?<call00001 weather Oslo><call00002 weather Rome>snowcall00001suncall00002",
        "refuses a conversation as it is");

    [Fact]
    public void A_template_that_refuses_however_it_is_written_keeps_its_own_error()
    {
        var (format, log) = Templates.Format("{{ raise_exception('never') }}");
        Assert.Contains("never", Assert.Throws<ChatTemplateException>(() => Templates.Text(format, Round, Tools)).Message, StringComparison.Ordinal);
        Assert.DoesNotContain(log, s => s.Contains("refuses", StringComparison.Ordinal));
    }

    public static TheoryData<string> Names => Templates.Names;

    /// <summary>Whatever a real template makes of it, every word of every turn is there.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Every_word_reaches_the_model_through_every_real_template(string name)
    {
        var (format, _) = Templates.Format(Templates.Real(name));
        var conversations = new (string Messages, string? Tools, string[] Words)[]
        {
            ("""[{"role":"system","content":"W-one"},{"role":"user","content":"W-two"}]""", null, ["W-one", "W-two"]),
            ("""[{"role":"user","content":"W-one"},{"role":"user","content":"W-two"}]""", null, ["W-one", "W-two"]),
            ("""[{"role":"assistant","content":"W-one"},{"role":"user","content":"W-two"}]""", null, ["W-one", "W-two"]),
            ("""[{"role":"user","content":"W-one"},{"role":"system","content":"W-two"},{"role":"user","content":"W-three"}]""", null, ["W-one", "W-two", "W-three"]),
            (Round, Tools, ["Weather?", "weather", "Of a city.", "Oslo", "Rome", "snow", "sun"]),
            (Round[..^1] + """,{"role":"assistant","content":"W-one"},{"role":"user","content":"W-two"}]""", Tools, ["Weather?", "weather", "Oslo", "Rome", "snow", "sun", "W-one", "W-two"]),
        };
        var lost = new List<string>();
        foreach (var (messages, tools, words) in conversations)
        {
            try
            {
                var text = Templates.Text(format, messages, tools);
                lost.AddRange(words.Where(word => !text.Contains(word, StringComparison.Ordinal)).Select(word => $"'{word}' of {messages[..60]}"));
            }
            catch (ChatTemplateException e)
            {
                lost.Add(e.Message + " for " + messages[..60]);
            }
        }

        if (name is "MiroThinker" or "fireworks-ai-llama-3-firefunction-v2")
        {
            // Each fails on every conversation of some kind in the reference too: one assigns to what is no namespace, one reads a variable that nobody gives.
            Assert.NotEmpty(lost);
            return;
        }

        Assert.Empty(lost);
    }
}
