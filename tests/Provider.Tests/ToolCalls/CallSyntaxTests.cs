using System.Diagnostics;
using KvPrefetch.AI.ToolCalls;

namespace KvPrefetch.Tests.Provider.ToolCalls;

/// <summary>Each family's calls: what is read, that the cut between pieces does not matter, and that nothing a model writes throws.</summary>
public sealed class CallSyntaxTests
{
    private const string Hermes = "<tool_call>";
    private const string Coder = "<tool_call><function=><parameter=>";
    private const string Llama = "<|python_tag|>";
    private const string Pythonic = "[func_name1(";
    private const string Mistral = "[TOOL_CALLS]";
    private const string Gemma = "<|tool_call>call:";
    private const string FunctionGemma = "<start_function_call>";
    private const string Phi = "<|tool_call|>";
    private const string DeepSeek = "<｜tool▁call▁begin｜>";
    private const string Dsml = "<｜DSML｜";
    private const string MiniMax = "<minimax:tool_call>";
    private const string Glm = "<arg_key>";
    private const string Kimi = "<|tool_call_argument_begin|>";
    private const string Harmony = "<|channel|><|message|>";
    private const string Lfm2 = "<|tool_list_start|>";
    private const string Cohere = "<|START_ACTION|><|START_THINKING|>";
    private const string Apertus = "<|tools_prefix|>";
    private const string Apriel = "<tool_calls>";
    private const string Functionary = "<function=name></function>";
    private const string Recipients = ">>>all";
    private const string Seed = "<seed:tool_call><seed:think>";

    private const string Weather = """<get_weather{"city":"Oslo \"north\"","days":2}>""";

    /// <summary>Template, what the model writes, what is read.</summary>
    public static TheoryData<string, string, string> Written => new()
    {
        { Hermes, "Let me see.\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo \\\"north\\\"\", \"days\": 2}}\n</tool_call>", "Let me see." + Weather },
        { Hermes, "<tool_call>{\"name\":\"now\",\"arguments\":{}}</tool_call>\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo \\\"north\\\"\", \"days\": 2}}", "<now{}>" + Weather },
        { Hermes, "<tool_call>{\"name\": \"now\"}</tool_call>Done.", "<now{}>Done." },
        { Hermes, "<tool_call>{\"name\": \"get_weather\", \"arguments\": \"{\\\"city\\\": \\\"</tool_call>\\\"}\"}</tool_call>", """<get_weather{"city":"</tool_call>"}>""" },
        { Hermes, "<tool_call>[{\"name\": \"now\", \"arguments\": null}, {\"function\": {\"name\": \"now\", \"arguments\": {}}}]</tool_call>", "<now{}><now{}>" },
        { Hermes, "<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": }}</tool_call>", "<get_weather broken>" },
        { Hermes, "<tool_call>{\"name\": \"get_weather\", \"arguments\": [1]}</tool_call>", "<get_weather broken>" },
        { Hermes, "<tool_call>\nnonsense\n</tool_call> then <tool_call>{\"name\": \"now\"}</tool_call>", "!<tool_call>\nnonsense\n</tool_call> then !<now{}>" },
        { Hermes, "a < b <tool <tool_cal", "a < b <tool <tool_cal" },
        { Hermes, "{\"name\": \"now\"}", "{\"name\": \"now\"}" },
        { Hermes + "<think>", "<think>\nhm <tool_call>\n</think>\n\n<tool_call>{\"name\": \"now\"}</tool_call>", "{hm <tool_call>}<now{}>" },
        { Coder, "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo \"north\"\n</parameter>\n<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>", Weather },
        { Coder, "Now:\n<tool_call>\n<function=now>\n</function>\n</tool_call>\n<tool_call>\n<function=get_weather>\n<parameter=zip>\n01234\n</parameter>\n<parameter=nested>\n{\"a\": [1, null]}\n</parameter>\n</function>\n</tool_call>", """Now:<now{}><get_weather{"zip":"01234","nested":{"a":[1,null]}}>""" },
        { Coder, "<tool_call>\n<function=get_weather>\n<parameter=city>\nline 1\n\n</parameter> is no end\n</parameter>\n<parameter=unknown>\n7\n</parameter>\n</function>\n</tool_call>", """<get_weather{"city":"line 1\n\n</parameter> is no end","unknown":7}>""" },
        { Coder, "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo", "!<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo!" },
        { Seed, "<seed:think>well</seed:think><seed:tool_call>\n<function=get_weather>\n<parameter=city>Oslo \"north\"</parameter>\n<parameter=days>2</parameter>\n</function>\n</seed:tool_call>", "{well}" + Weather },
        { Seed, "<seed:tool_call>\n<function=get_weather>\n<parameter=nested>{'a': [1, 2.5, True, None, 'é']}</parameter>\n</function>\n</seed:tool_call>", """<get_weather{"nested":{"a":[1,2.5,true,null,"é"]}}>""" },
        { Functionary, "Sure.<function=now>{}</function><function=get_weather>{\"city\": \"Oslo \\\"north\\\"\", \"days\": 2}</function>", "Sure.<now{}>" + Weather },
        { Functionary, "<function=now>{x}</function>", "<now broken>" },
        { Recipients, "all\nHello >>> there >>>nobody\n.", "Hello >>> there >>>nobody\n." },
        { Recipients, "all\nLet me see.\n>>>get_weather\n{\"city\": \"Oslo \\\"north\\\"\", \"days\": 2}>>>now\n{}", "Let me see." + Weather + "<now{}>" },
        { Recipients, "get_weather\n{\"city\": \"a>>>now\\nb\"}\n>>>now\n{}", """<get_weather{"city":"a>>>now\nb"}><now{}>""" },
        { Recipients, "now\n{oops>>>now\n{}", "<now broken><now{}>" },
        { Recipients, ">>>all\nOne.>>>all\nTwo.", "One.\n\nTwo." },
        { Recipients, "no line at all", "no line at all" },
        { Recipients, "other\n{}", "other\n{}" },
        { Llama, "{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Oslo \\\"north\\\"\", \"days\": 2}}", Weather },
        { Llama, "{\"type\": \"function\", \"name\": \"now\", \"parameters\": {}}; {\"name\": \"now\", \"parameters\": {}}", "<now{}><now{}>" },
        { Llama, "<|python_tag|>{\"name\": \"now\", \"parameters\": {}}", "<now{}>" },
        { Llama, "<|python_tag|>brave_search.call(query=\"sea\")", """<brave_search{"query":"sea"}>""" },
        { Llama, "{\"name\": \"not_declared\", \"parameters\": {}}", "{\"name\": \"not_declared\", \"parameters\": {}}" },
        { Llama, "{\"answer\": 42}", "{\"answer\": 42}" },
        { Llama, "{\"name\": \"now\", \"param", "{\"name\": \"now\", \"param" },
        { Llama, "Plain text {\"name\": \"now\"}", "Plain text {\"name\": \"now\"}" },
        { Pythonic, "[get_weather(city='Oslo \"north\"', days=2), now()]", Weather + "<now{}>" },
        { Pythonic, "[get_weather(nested={'a': [1, -2.5e3, True, None, (1, 2)]}, tags=[\"x\\n\", 'y\\'s'])]", """<get_weather{"nested":{"a":[1,-2500,true,null,[1,2]]},"tags":["x\n","y's"]}>""" },
        { Pythonic, "[1, 2, 3]", "[1, 2, 3]" },
        { Pythonic, "[get_weather(city=Oslo)]", "[get_weather(city=Oslo)]" },
        { Lfm2, "Checking. <|tool_call_start|>[get_weather(city=\"Oslo \\\"north\\\"\", days=2)]<|tool_call_end|>And?", "Checking." + Weather + "And?" },
        { Lfm2, "<|tool_call_start|>[get_weather(city=]<|tool_call_end|>", "!<|tool_call_start|>[get_weather(city=]<|tool_call_end|>!" },
        { Mistral, "[TOOL_CALLS][{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo \\\"north\\\"\", \"days\": 2}}, {\"name\": \"now\", \"arguments\": {}, \"id\": \"abc\"}]", Weather + "<now{}>" },
        { Mistral, "Hm.[TOOL_CALLS]now[CALL_ID]call00001[ARGS]{}[TOOL_CALLS]get_weather[ARGS]{\"city\": \"Oslo \\\"north\\\"\", \"days\": 2}", "Hm.<now{}>" + Weather },
        { Mistral, "[TOOL_CALLS]get_weather{\"city\": \"Oslo \\\"north\\\"\", \"days\": 2}", Weather },
        { Mistral, "[TOOL_CALLS]get_weather[ARGS]{\"city\": [TOOL_CALLS]now[ARGS]{}", "<get_weather broken><now{}>" },
        { Gemma, "<|tool_call>call:now{}<tool_call|><|tool_call>call:get_weather{city:<|\"|>Oslo \"north\"<|\"|>,days:2}<tool_call|>", "<now{}>" + Weather },
        { Gemma, "<|tool_call>call:get_weather{nested:{a:[1,2.5,true,None,<|\"|>é<|\"|>]},tags:[]}<tool_call|>", """<get_weather{"nested":{"a":[1,2.5,true,null,"é"]},"tags":[]}>""" },
        { Gemma, "<|tool_call>call:get_weather{city:,}<tool_call|>", "<get_weather broken>" },
        { FunctionGemma, "<start_function_call>call:get_weather{city:<escape>Oslo \"north\"<escape>,days:2}<end_function_call>", Weather },
        { Phi, "<|tool_call|>[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo \\\"north\\\"\", \"days\": 2}}]<|/tool_call|>", Weather },
        { DeepSeek, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{\"city\": \"Oslo \\\"north\\\"\", \"days\": 2}<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "<now{}>" + Weather },
        { DeepSeek, "So.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{\"city\": \"Oslo \\\"north\\\"\", \"days\": 2}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "So." + Weather },
        { DeepSeek, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>now<｜tool▁sep｜>{\"a\" 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "<now broken>" },
        { Kimi, "<|tool_calls_section_begin|><|tool_call_begin|>functions.now:0<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_call_begin|>functions.get_weather:1<|tool_call_argument_begin|>{\"city\": \"Oslo \\\"north\\\"\", \"days\": 2}<|tool_call_end|><|tool_calls_section_end|>", "<now{}>" + Weather },
        { Dsml, "<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"now\">\n</｜DSML｜invoke>\n<｜DSML｜invoke name=\"get_weather\">\n<｜DSML｜parameter name=\"city\" string=\"true\">Oslo \"north\"</｜DSML｜parameter>\n<｜DSML｜parameter name=\"days\" string=\"false\">2</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>", "<now{}>" + Weather },
        { MiniMax, "<minimax:tool_call>\n<invoke name=\"get_weather\">\n<parameter name=\"city\">Oslo \"north\"</parameter>\n<parameter name=\"days\">2</parameter>\n</invoke>\n</minimax:tool_call>", Weather },
        { Glm, "Well.\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Oslo \"north\"</arg_value>\n<arg_key>days</arg_key>\n<arg_value>2</arg_value>\n</tool_call>\n<tool_call>now\n</tool_call>", "Well." + Weather + "<now{}>" },
        { Glm, "<tool_call>get_weather\n<arg_key>city</arg_key>", "!<tool_call>get_weather\n<arg_key>city</arg_key>!" },
        { Cohere, "<|START_THINKING|>I will look.<|END_THINKING|><|START_ACTION|>[\n    {\"tool_call_id\": \"0\", \"tool_name\": \"get_weather\", \"parameters\": {\"city\": \"Oslo \\\"north\\\"\", \"days\": 2}}\n]<|END_ACTION|>", "{I will look.}" + Weather },
        { Apertus, "<|tools_prefix|>[{\"now\": {}}, {\"get_weather\": {\"city\": \"Oslo \\\"north\\\"\", \"days\": 2}}]<|tools_suffix|>", "<now{}>" + Weather },
        { Apriel, "<tool_calls>[{\"name\": \"now\", \"arguments\": {}}, {\"name\": \"get_weather\", \"arguments\": {\"city\": \"Oslo \\\"north\\\"\", \"days\": 2}}]</tool_calls>", "<now{}>" + Weather },
        { Harmony, "<|channel|>analysis<|message|>Need weather.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{\"city\": \"Oslo \\\"north\\\"\", \"days\": 2}<|call|>", "{Need weather.}" + Weather },
        { Harmony, "<|channel|>analysis<|message|>Easy.<|end|><|start|>assistant<|channel|>final<|message|>Four.<|return|>", "{Easy.}Four." },
        { Harmony, "<|channel|>commentary<|message|>Plan.<|end|><|start|>assistant to=functions.now<|channel|>commentary json<|message|>{}", "Plan.<now{}>" },
        { Harmony, "<|channel|>commentary to=functions.now<|message|>{oops<|call|>", "<now broken>" },
        { Harmony, "<|channel|>commentary<|message|>One.<|end|><|start|>assistant<|channel|>final<|message|>Two.", "One.\n\nTwo." },
        { Harmony, "no header at all", "no header at all" },
    };

    [Theory]
    [MemberData(nameof(Written))]
    public void Calls_are_read_as_their_family_writes_them_wherever_the_pieces_are_cut(string template, string answer, string expected)
    {
        var reader = Answers.Reader(template);
        Assert.Equal(expected, Answers.Read(reader(), [answer]));
        Assert.Equal(expected, Answers.Read(reader(), answer.Select(c => c.ToString())));
        for (var cut = 1; cut < answer.Length; cut++)
        {
            Assert.Equal(expected, Answers.Read(reader(), [answer[..cut], answer[cut..]]));
        }
    }

    [Theory]
    [MemberData(nameof(Written))]
    public void An_answer_that_ends_anywhere_gives_no_call_it_did_not_finish_and_throws_nothing(string template, string answer, string expected)
    {
        _ = expected;
        var reader = Answers.Reader(template);
        for (var end = 0; end <= answer.Length; end++)
        {
            Answers.Read(reader(), [answer[..end]]);
            Assert.DoesNotContain("broken", end < answer.Length && !answer.Contains("oops", StringComparison.Ordinal) && !expected.Contains("</tool_call>", StringComparison.Ordinal) && !expected.Contains("broken", StringComparison.Ordinal) ? Answers.Read(reader(), [answer[..end]], isWhole: false) : "", StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(Hermes)]
    [InlineData(Llama)]
    [InlineData(Harmony)]
    [InlineData(Cohere)]
    [InlineData(Recipients)]
    public void Text_comes_out_as_soon_as_it_cannot_be_a_call(string template)
    {
        var parts = new List<AnswerPart>();
        var reader = Answers.Reader(template)();
        var text = (template == Harmony ? "<|channel|>final<|message|>" : template == Recipients ? "all\n" : "") + "One two three. ";
        foreach (var c in text)
        {
            reader.Append(c.ToString(), parts);
        }

        Assert.Equal("One two three.", Answers.Written(parts));
        reader.Append("Four", parts);
        Assert.Equal("One two three. Four", Answers.Written(parts));
    }

    [Theory]
    [InlineData("<think>\n", "so\n</think>\n\nanswer", "{so}answer")]
    [InlineData("<think>\n</think>\n", "answer", "answer")]
    [InlineData("", "<think>\nso\n</think>\n\nanswer", "{so}answer")]
    [InlineData("", "<think></think>answer", "answer")]
    [InlineData("<think>", "never ends ", "{never ends}")]
    [InlineData("", "answer</think> more", "answer more")]
    [InlineData("", "a <think>b</think> c", "a{b}c")]
    public void Reasoning_between_tags_is_kept_apart(string tail, string answer, string expected)
    {
        for (var cut = 0; cut <= answer.Length; cut++)
        {
            Assert.Equal(expected, Answers.Read(Answers.Reader("<think>", tail)(), [answer[..cut], answer[cut..]]));
        }
    }

    [Fact]
    public void GS24_letters_of_a_tag_that_the_vocabulary_has_as_a_token_are_text()
    {
        var parts = new List<AnswerPart>();
        var reader = new TaggedAnswerReader([AnswerFormat.Section], ReasoningTags.Think, startsInReasoning: false, Answers.Tools, isMark: _ => true);
        reader.Append("You wrote <tool_call>{\"name\": \"now\"}</tool_call> and <think>.", parts);
        reader.AppendMark("<tool_call>", parts);
        reader.Append("{\"name\": \"now\"}", parts);
        reader.AppendMark("</tool_call>", parts);
        reader.End(isWhole: true, parts);
        Assert.Equal("You wrote <tool_call>{\"name\": \"now\"}</tool_call> and <think>.<now{}>", Answers.Written(parts));
    }

    public static TheoryData<string, string> Floods => new()
    {
        { Hermes, "<tool_call>" }, { Hermes, "<tool_call>{\"name\": \"" }, { Hermes, "<tool_call>[" }, { Hermes, "<tool_call>{\"name\":\"now\"}" }, { Hermes, "</tool_call>" }, { Hermes, "<" },
        { Recipients, ">>>now\n" }, { Recipients, ">" }, { Recipients, ">>>now\n{" }, { Recipients, ">>>all\n" }, { Recipients, "all\n>>>" },
        { Coder, "<tool_call><function=f><parameter=a>" }, { Coder, "<tool_call><function=f><parameter=a></parameter>x" }, { Coder, "<tool_call><function=" }, { Functionary, "<function=f>{" },
        { DeepSeek, "<｜tool▁calls▁begin｜>" }, { DeepSeek, "<｜tool▁call▁begin｜>f<｜tool▁sep｜>{" }, { Kimi, "<|tool_call_begin|>f:" }, { Mistral, "[TOOL_CALLS]" }, { Mistral, "[TOOL_CALLS]f[ARGS]{\"" }, { Mistral, "[TOOL_CALLS]f[ARGS]" },
        { Gemma, "<|tool_call>call:f{a:" }, { Gemma, "<|tool_call>call:f{a:[" }, { Glm, "<tool_call>f<arg_key>" }, { Dsml, "<｜DSML｜function_calls><｜DSML｜invoke name=\"" }, { Lfm2, "<|tool_call_start|>[f(a=" }, { Lfm2, "<|tool_call_start|>[f(a=[" },
        { Llama, "{" }, { Llama, "<|python_tag|>" }, { Llama, "{\"name\": \"now\"};" }, { Pythonic, "[" }, { Pythonic, "[now()," }, { Harmony, "<|start|>" }, { Harmony, "<|channel|>commentary to=functions.now<|message|>" }, { Harmony, "<|message|>" },
        { "<think>", "<think>" }, { "<think>", "</think>" }, { "<think>", " " }, { Hermes, " \n" },
    };

    [Theory]
    [MemberData(nameof(Floods))]
    public void GS21_a_hundred_thousand_tags_take_time_in_proportion(string template, string tag)
    {
        const int Count = 100_000;
        var reader = Answers.Reader(template);
        var answer = string.Concat(Enumerable.Repeat(tag, Count));
        var started = Stopwatch.GetTimestamp();
        Answers.Read(reader(), [answer]);
        Answers.Read(reader(), Enumerable.Repeat(tag, Count / 10));
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(5), "took " + Stopwatch.GetElapsedTime(started));
    }

    [Fact]
    public void GS20_arguments_of_ten_megabytes_and_values_nested_a_thousand_deep_are_read_or_refused()
    {
        var big = Answers.Read(Answers.Reader(Hermes)(), ["<tool_call>{\"name\": \"now\", \"arguments\": {\"a\": \"", new string('x', 10 << 20), "\"}}</tool_call>"]);
        Assert.StartsWith("<now{\"a\":\"xxx", big, StringComparison.Ordinal);
        foreach (var (template, open, value, close) in new[]
                 {
                     (Hermes, "<tool_call>{\"name\": \"now\", \"arguments\": {\"a\": ", "[", "}}</tool_call>"),
                     (Coder, "<tool_call><function=now><parameter=a>", "[", "</parameter></function></tool_call>"),
                     (Coder, "<tool_call><function=now><parameter=a>", "{'a':", "</parameter></function></tool_call>"),
                     (Gemma, "<|tool_call>call:now{a:", "{b:", "}<tool_call|>"),
                     (Lfm2, "<|tool_call_start|>[now(a=", "(", ")]<|tool_call_end|>"),
                     (Lfm2, "<|tool_call_start|>[now(a=", "{'a':", ")]<|tool_call_end|>"),
                 })
        {
            Answers.Read(Answers.Reader(template)(), [open + string.Concat(Enumerable.Repeat(value, 100_000)) + close]);
        }
    }

    [Theory]
    [InlineData("<tool_call>{\"name\": \"\\ud800\", \"arguments\": {}}</tool_call>")]
    [InlineData("<tool_call>{\"name\": \"now\", \"arguments\": {\"\\ud800\": 1}}</tool_call>")]
    [InlineData("<tool_call>{\"name\": \"now\", \"arguments\": \"\\ud800\"}</tool_call>")]
    [InlineData("<tool_call>{\"name\": \"now\", \"arguments\": {\"a\": \"\ud800\"}}</tool_call>")]
    public void Half_a_character_in_a_call_is_an_error_of_the_call_alone(string answer) => Answers.Read(Answers.Reader(Hermes)(), [answer]);

    [Fact]
    public void Whatever_a_model_writes_is_read_alike_however_it_is_cut()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        var rows = Written.Select(row => (Template: row.Data.Item1, Answer: row.Data.Item2)).ToArray();
        var started = Stopwatch.GetTimestamp();
        var inputs = 0L;
        while (Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(TestAssets.FuzzSeconds))
        {
            var template = rows[random.Next(rows.Length)].Template;
            var answer = rows[random.Next(rows.Length)].Answer;
            for (var change = random.Next(6); change > 0; change--)
            {
                var other = rows[random.Next(rows.Length)].Answer;
                var (at, from) = (random.Next(answer.Length + 1), random.Next(other.Length));
                var length = random.Next(Math.Min(20, other.Length - from) + 1);
                answer = random.Next(3) switch
                {
                    0 => string.Concat(answer.AsSpan(0, at), other.AsSpan(from, length), answer.AsSpan(at)),
                    1 => answer[..at] + answer[Math.Min(answer.Length, at + length)..],
                    _ => answer[..at] + "\"\\{}[]<>|' \n\u0000\ud83d"[random.Next(14)] + answer[at..],
                };
            }

            var reader = Answers.Reader(template, random.Next(4) == 0 ? "<think>" : "");
            var isWhole = random.Next(2) == 0;
            var whole = Answers.Read(reader(), [answer], isWhole);
            var cut = random.Next(answer.Length + 1);
            Assert.True(whole == Answers.Read(reader(), [answer[..cut], answer[cut..]], isWhole), $"seed {seed}: template {template} cut at {cut}: {answer}");
            Assert.True(whole == Answers.Read(reader(), answer.Select(c => c.ToString()), isWhole), $"seed {seed}: template {template} in characters: {answer}");
            inputs++;
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{inputs} inputs");
    }
}
