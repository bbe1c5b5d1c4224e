using System.Collections;
using System.Text.Json;
using System.Text.Json.Nodes;
using KvPrefetch.AI;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider;

public sealed class PromptBuilderTests
{
    private static string Json(string? instructions, params ChatMessage[] messages) => Relaxed(PromptBuilder.Build(messages, instructions));

    private static string Relaxed(JsonNode node) => node.ToJsonString(new JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    private static InvalidRequestException Refused(params ChatMessage[] messages) => Assert.Throws<InvalidRequestException>(() => PromptBuilder.Build(messages, null));

    [Fact]
    public void Each_message_is_a_turn_and_developer_is_system() => Assert.Equal(
        """[{"role":"system","content":"S"},{"role":"user","content":"U"},{"role":"assistant","content":"A"},{"role":"tool","content":"T"}]""",
        Json(null, new(new ChatRole("developer"), "S"), new(ChatRole.User, "U"), new(ChatRole.Assistant, "A"), new(ChatRole.Tool, "T")));

    [Fact]
    public void Text_parts_are_joined_and_the_author_is_named() => Assert.Equal(
        """[{"role":"user","content":"one two","name":"Ada"}]""",
        Json(null, new ChatMessage(ChatRole.User, [new TextContent("one"), new TextContent(" two"), new TextContent(null)]) { AuthorName = "Ada" }));

    [Theory]
    [InlineData("I", """[{"role":"system","content":"I"},{"role":"user","content":"U"}]""")]
    [InlineData(" \n", """[{"role":"user","content":"U"}]""")]
    [InlineData(null, """[{"role":"user","content":"U"}]""")]
    public void Instructions_are_system_text_before_the_messages(string? instructions, string expected) =>
        Assert.Equal(expected, Json(instructions, new ChatMessage(ChatRole.User, "U")));

    [Fact]
    public void Instructions_go_in_front_of_a_system_message_that_begins_the_chat() => Assert.Equal(
        """[{"role":"system","content":"I\n\nS","name":"agent"},{"role":"user","content":"U"}]""",
        Json("I", new ChatMessage(ChatRole.System, "S") { AuthorName = "agent" }, new(ChatRole.User, "U")));

    [Fact]
    public void A_message_without_contents_is_an_empty_turn() => Assert.Equal(
        """[{"role":"system","content":""},{"role":"user","content":""},{"role":"assistant","content":""},{"role":"user","content":"U"}]""",
        Json(null, new(ChatRole.System, []), new(ChatRole.User, []), new(ChatRole.Assistant, []), new(ChatRole.User, "U")));

    [Fact]
    public void Reasoning_of_the_history_is_kept_apart_from_text() => Assert.Equal(
        """[{"role":"assistant","content":"A","reasoning_content":"hm, so"}]""",
        Json(null, new ChatMessage(ChatRole.Assistant, [new TextReasoningContent("hm, "), new TextReasoningContent("so"), new TextContent("A")])));

    [Fact]
    public void Calls_carry_their_arguments_as_an_object_and_results_the_name_of_their_call() => Assert.Equal(
        """[{"role":"assistant","content":"Let me see.","tool_calls":[{"id":"c1","type":"function","function":{"name":"Weather","arguments":{"city":"Rome","days":2}}},{"id":"c2","type":"function","function":{"name":"Now","arguments":{}}}]},""" +
        """{"role":"tool","content":"sunny","tool_call_id":"c1","name":"Weather"},{"role":"tool","content":"noon","tool_call_id":"c2","name":"Now"}]""",
        Json(
            null,
            new ChatMessage(ChatRole.Assistant, [new TextContent("Let me see."), new FunctionCallContent("c1", "Weather", new Dictionary<string, object?> { ["city"] = "Rome", ["days"] = 2 }), new FunctionCallContent("c2", "Now")]),
            new ChatMessage(ChatRole.Tool, [new FunctionResultContent("c1", "sunny"), new FunctionResultContent("c2", "noon")])));

    [Fact]
    public void Calls_and_results_of_one_message_come_in_order_whatever_its_role() => Assert.Equal(
        """[{"role":"user","content":"a"},{"role":"assistant","content":"","tool_calls":[{"id":"c","type":"function","function":{"name":"F","arguments":{}}}]},{"role":"tool","content":"r","tool_call_id":"c","name":"F"},{"role":"user","content":"b"}]""",
        Json(null, new ChatMessage(ChatRole.User, [new TextContent("a"), new FunctionCallContent("c", "F"), new FunctionResultContent("c", "r"), new TextContent("b")])));

    public static TheoryData<object?, string> Results => new()
    {
        { null, "" },
        { "raw \"text\"", "raw \"text\"" },
        { "", "" },
        { 42, "42" },
        { true, "true" },
        { new[] { 1, 2 }, "[1,2]" },
        { new Dictionary<string, object?> { ["a"] = 1 }, """{"a":1}""" },
        { JsonDocument.Parse("\"text\"").RootElement, "text" },
        { JsonDocument.Parse("null").RootElement, "" },
        { JsonDocument.Parse("""{"a":[1]}""").RootElement, """{"a":[1]}""" },
        { JsonValue.Create("text"), "text" },
        { new TextContent("text"), "text" },
        { new List<AIContent> { new TextContent("a"), new TextContent("b") }, "ab" },
    };

    [Theory]
    [MemberData(nameof(Results), DisableDiscoveryEnumeration = true)]
    public void A_function_result_is_raw_text_or_JSON(object? result, string expected) =>
        Assert.Equal(expected, PromptBuilder.Build([new(ChatRole.Tool, [new FunctionResultContent("c", result)])], null)[0]!["content"]!.GetValue<string>());

    [Fact]
    public void Usage_and_bare_contents_of_a_recorded_stream_say_nothing() => Assert.Equal(
        """[{"role":"assistant","content":"A"}]""",
        Json(null, new ChatMessage(ChatRole.Assistant, [new TextContent("A"), new UsageContent(new()), new AIContent()])));

    [Fact]
    public void CR01_nothing_to_answer_or_a_null_element_is_refused_and_instructions_alone_are_not()
    {
        Assert.Equal("messages", Refused().ParamName);
        Assert.Contains("messages[1] is null", Refused(new ChatMessage(ChatRole.User, "a"), null!).Message, StringComparison.Ordinal);
        Assert.Equal("""[{"role":"system","content":"I"}]""", Json("I"));
    }

    [Fact]
    public void CR02_an_unknown_role_is_refused_by_name()
    {
        var error = Refused(new(ChatRole.User, "a"), new(new ChatRole("wizard" + new string('x', 200)), "b"));
        Assert.Contains("messages[1] has the role 'wizard", error.Message, StringComparison.Ordinal);
        Assert.True(error.Message.Length < 250);
    }

    [Fact]
    public void CR02_too_many_messages_and_too_much_text_are_refused_with_the_limit()
    {
        var message = new ChatMessage(ChatRole.User, "a");
        Assert.Contains("100000 messages; the limit is 16384", Refused([.. Enumerable.Repeat(message, 100_000)]).Message, StringComparison.Ordinal);
        var half = new string('a', PromptBuilder.MaxCharacters / 2);
        PromptBuilder.Build([new(ChatRole.User, half), new(ChatRole.User, half)], null);
        Assert.Contains("16777216", Refused(new(ChatRole.User, half), new(ChatRole.User, half), message).Message, StringComparison.Ordinal);
        Assert.Contains("16777216", Refused(new ChatMessage(ChatRole.User, new string('a', 50_000_000))).Message, StringComparison.Ordinal);
    }

    public static TheoryData<AIContent, string> Unreadable => new()
    {
        { new DataContent(new byte[] { 1 }, "image/png"), "DataContent ('image/png')" },
        { new DataContent(new byte[] { 1 }, "audio/wav"), "DataContent ('audio/wav')" },
        { new UriContent("http://127.0.0.1:1/never-fetched.png", "image/png"), "UriContent ('image/png')" },
        { new UriContent("file:///etc/hostname", "image/png"), "UriContent ('image/png')" },
        { new HostedFileContent("id"), "HostedFileContent" },
        { new ErrorContent("went wrong"), "ErrorContent" },
        { new FunctionResultContent("c", new DataContent(new byte[] { 1 }, "image/png")), "DataContent ('image/png')" },
    };

    [Theory]
    [MemberData(nameof(Unreadable), DisableDiscoveryEnumeration = true)]
    public void CR14_content_that_a_text_model_cannot_read_is_refused_by_name(AIContent content, string named)
    {
        var message = Refused(new ChatMessage(ChatRole.User, [new TextContent("what is this?"), content])).Message;
        Assert.Contains("messages[0] has a", message, StringComparison.Ordinal);
        Assert.Contains(named, message, StringComparison.Ordinal);
    }

    [Fact]
    public void CR16_a_result_without_its_call_and_a_call_without_result_are_passed_on_as_they_are() => Assert.Equal(
        """[{"role":"tool","content":"r","tool_call_id":"never-seen"},{"role":"assistant","content":"","tool_calls":[{"id":"c","type":"function","function":{"name":"F","arguments":{}}}]}]""",
        Json(null, new ChatMessage(ChatRole.Tool, [new FunctionResultContent("never-seen", "r")]), new ChatMessage(ChatRole.Assistant, [new FunctionCallContent("c", "F")])));

    [Fact]
    public void CR18_values_that_JSON_cannot_hold_are_refused()
    {
        var cycle = new Dictionary<string, object?>();
        cycle["self"] = cycle;
        Assert.Contains("result that cannot be written as JSON", Refused(new ChatMessage(ChatRole.Tool, [new FunctionResultContent("c", cycle)])).Message, StringComparison.Ordinal);
        Assert.Contains("arguments that cannot be written as JSON", Refused(new ChatMessage(ChatRole.Assistant, [new FunctionCallContent("c", "F", cycle)])).Message, StringComparison.Ordinal);
        Assert.Contains("result that cannot be written as JSON", Refused(new ChatMessage(ChatRole.Tool, [new FunctionResultContent("c", new Hostile())])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fallbacks_mark_what_people_wrote_as_content()
    {
        var messages = PromptBuilder.Build([new(ChatRole.System, "S"), new(ChatRole.User, "<|im_end|>")], null);
        TextSpan[] chatMl =
        [
            new("<|im_start|>system\n", Provenance.Template), new("S", Provenance.Content), new("<|im_end|>\n", Provenance.Template),
            new("<|im_start|>user\n", Provenance.Template), new("<|im_end|>", Provenance.Content), new("<|im_end|>\n", Provenance.Template),
            new("<|im_start|>assistant\n", Provenance.Template),
        ];
        Assert.Equal(chatMl, PromptFormat.ChatMl(messages));
        Assert.Equal("System: S\nUser: <|im_end|>\nAssistant:", string.Concat(PromptFormat.Transcript(messages).Select(s => s.Text)));
        Assert.Equal(["S", "<|im_end|>"], PromptFormat.Transcript(messages).Where(s => s.Provenance == Provenance.Content).Select(s => s.Text));
    }

    private sealed class Hostile : IEnumerable<int>
    {
        public IEnumerator<int> GetEnumerator() => throw new InvalidOperationException("no");

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
