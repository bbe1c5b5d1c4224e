using System.Text.Json;
using KvPrefetch.AI;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider;

/// <summary>What ChatOptions says of tools and reasoning.</summary>
public sealed class ToolRequestTests
{
    private static AIFunctionDeclaration Function(string name, string schema = "{}", string? description = "d") => AIFunctionFactory.CreateDeclaration(name, description, JsonDocument.Parse(schema).RootElement);

    private static InvalidRequestException Refused(ChatOptions options) => Assert.Throws<InvalidRequestException>(() => ToolRequest.Of(options));

    [Fact]
    public void A_function_is_declared_as_templates_read_it() => Assert.Equal(
        """[{"type":"function","function":{"name":"Weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}},""" +
        """{"type":"function","function":{"name":"Now","description":"","parameters":{"type":"object","properties":{}}}}]""",
        ToolRequest.Of(new()
        {
            Tools =
            [
                Function("Weather", """{"$schema":"x","type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"""),
                new HostedWebSearchTool(),
                Function("Now", "{}", description: null),
            ],
        }).Declarations!.ToJsonString());

    [Fact]
    public void Functions_of_dotnet_methods_are_declared_with_their_parameters()
    {
        var function = AIFunctionFactory.Create((string city, int days) => city + days, "Weather", "Of a city.");
        var parameters = ToolRequest.Of(new() { Tools = [function] }).Declarations![0]!["function"]!["parameters"]!;
        Assert.Equal("string", parameters["properties"]!["city"]!["type"]!.GetValue<string>());
        Assert.Equal("integer", parameters["properties"]!["days"]!["type"]!.GetValue<string>());
    }

    [Fact]
    public void Modes_are_what_they_say()
    {
        var tools = new List<AITool> { Function("F"), Function("G") };
        Assert.Equal((ToolUse.Auto, null, true), Of(new() { Tools = tools }));
        Assert.Equal((ToolUse.Auto, null, true), Of(new() { Tools = tools, ToolMode = ChatToolMode.Auto, AllowMultipleToolCalls = true }));
        Assert.Equal((ToolUse.None, null, true), Of(new() { Tools = tools, ToolMode = ChatToolMode.None }));
        Assert.Equal((ToolUse.Required, null, false), Of(new() { Tools = tools, ToolMode = ChatToolMode.RequireAny, AllowMultipleToolCalls = false }));
        Assert.Equal((ToolUse.Required, "G", true), Of(new() { Tools = tools, ToolMode = ChatToolMode.RequireSpecific("G") }));
        Assert.Equal((ToolUse.None, null, true), Of(new() { Tools = [new HostedWebSearchTool()], ToolMode = ChatToolMode.Auto }));
        Assert.Equal((ToolUse.None, null, true), Of(null));

        static (ToolUse Use, string? Required, bool Multiple) Of(ChatOptions? options) => ToolRequest.Of(options) is var request ? (request.Use, request.Required, request.Multiple) : default;
    }

    [Theory]
    [InlineData("")]
    [InlineData("has space")]
    [InlineData("\");")]
    [InlineData("<|im_end|>")]
    [InlineData("naïve")]
    public void GS18_a_tools_name_is_letters_digits_and_three_signs(string name)
    {
        Assert.Equal("Tools", Refused(new() { Tools = [new Named(name)] }).ParamName);
        Assert.True(Refused(new() { Tools = [new Named(new string('x', 10_000))] }).Message.Length < 300);
    }

    [Fact]
    public void GS18_two_tools_of_one_name_and_too_many_or_too_large_ones_are_refused()
    {
        Assert.Contains("Two tools", Refused(new() { Tools = [Function("F"), Function("F")] }).Message, StringComparison.Ordinal);
        Assert.Contains("limit is 128", Refused(new() { Tools = [.. Enumerable.Range(0, 129).Select(i => Function("F" + i))] }).Message, StringComparison.Ordinal);
        Assert.Contains("limit is 262144", Refused(new() { Tools = [Function("F", $$"""{"title":"{{new string('x', 300_000)}}"}""")] }).Message, StringComparison.Ordinal);
        Assert.Contains("limit is 65536", Refused(new() { Tools = [Function("F", description: new string('x', 70_000))] }).Message, StringComparison.Ordinal);
        Assert.Contains("Array", Refused(new() { Tools = [Function("F", "[]")] }).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void GS19_a_call_that_is_required_needs_its_function()
    {
        Assert.Equal("ToolMode", Refused(new() { ToolMode = ChatToolMode.RequireAny }).ParamName);
        Assert.Equal("ToolMode", Refused(new() { ToolMode = ChatToolMode.RequireAny, Tools = [new HostedWebSearchTool()] }).ParamName);
        Assert.Contains("'G'", Refused(new() { ToolMode = ChatToolMode.RequireSpecific("G"), Tools = [Function("F")] }).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData(ReasoningEffort.None, """{"enable_thinking":false,"thinking":false,"reasoning_effort":"low"}""")]
    [InlineData(ReasoningEffort.Low, """{"enable_thinking":true,"thinking":true,"reasoning_effort":"low","thinking_budget":1024}""")]
    [InlineData(ReasoningEffort.Medium, """{"enable_thinking":true,"thinking":true,"reasoning_effort":"medium","thinking_budget":4096}""")]
    [InlineData(ReasoningEffort.High, """{"enable_thinking":true,"thinking":true,"reasoning_effort":"high","thinking_budget":16384}""")]
    [InlineData(ReasoningEffort.ExtraHigh, """{"enable_thinking":true,"thinking":true,"reasoning_effort":"high"}""")]
    public void Effort_becomes_the_switches_of_templates(ReasoningEffort? effort, string? variables) =>
        Assert.Equal(variables, ReasoningRequest.Of(new() { Reasoning = new() { Effort = effort } }, null).Variables?.ToJsonString());

    [Fact]
    public void A_callers_own_budget_wins_over_the_efforts()
    {
        Assert.Equal(7, ReasoningRequest.Of(new() { Reasoning = new() { Effort = ReasoningEffort.High } }, 7).MaxTokens);
        Assert.Equal(7, ReasoningRequest.Of(null, 7).MaxTokens);
        Assert.Null(ReasoningRequest.Of(null, null).MaxTokens);
        Assert.False(ReasoningRequest.Of(new() { Reasoning = new() { Output = ReasoningOutput.None } }, null).Shown);
    }

    private sealed class Named(string name) : AIFunctionDeclaration
    {
        public override string Name => name;
    }
}
