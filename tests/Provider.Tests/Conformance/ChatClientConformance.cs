using System.Text.Json;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider.Conformance;

/// <summary>What Microsoft.Extensions.AI and the frameworks on it rely on, for any client: derive, give a client, and every line is a test. Nothing here asks for a model that knows anything.</summary>
public abstract class ChatClientConformance
{
    private static readonly JsonElement PersonSchema = Schema("""{"type":"object","properties":{"name":{"type":"string","maxLength":6},"age":{"enum":[1,2,3]}},"required":["name","age"],"additionalProperties":false}""");

    private static readonly AIFunctionDeclaration Weather = AIFunctionFactory.CreateDeclaration(
        "get_weather", "The weather of a city.", Schema("""{"type":"object","properties":{"city":{"type":"string","maxLength":6},"unit":{"type":"string","enum":["C","F"]}},"required":["city","unit"],"additionalProperties":false}"""));

    private static readonly AIFunctionDeclaration Now = AIFunctionFactory.CreateDeclaration("now", "The time.", Schema("""{"type":"object","properties":{},"additionalProperties":false}"""));

    /// <summary>The client under test; its answers may be nonsense.</summary>
    protected abstract IChatClient Client { get; }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void Metadata_is_there_and_the_client_is_found_by_its_types()
    {
        Assert.NotNull(Client.GetService<ChatClientMetadata>()?.ProviderName);
        Assert.Same(Client, Client.GetService<IChatClient>());
        Assert.Null(Client.GetService<ChatClientMetadata>("key"));
        Assert.Null(Client.GetService<string>());
    }

    [Fact]
    public async Task Null_messages_are_refused_at_the_call()
    {
        Assert.Throws<ArgumentNullException>("messages", () => Client.GetStreamingResponseAsync(null!, null, Cancellation));
        await Assert.ThrowsAsync<ArgumentNullException>("messages", () => Client.GetResponseAsync((IEnumerable<ChatMessage>)null!, null, Cancellation));
    }

    [Fact]
    public async Task A_required_call_is_made_with_arguments_under_its_schema_and_told_by_the_finish_reason()
    {
        foreach (var seed in Enumerable.Range(0, 5))
        {
            var response = await Client.GetResponseAsync(Question, Options(seed, ChatToolMode.RequireAny), Cancellation);
            var calls = Calls(response);
            Assert.NotEmpty(calls);
            Assert.All(calls, Fits);
            Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
            Assert.Equal(calls.Count, calls.Select(c => c.CallId).Distinct(StringComparer.Ordinal).Count());
        }
    }

    [Fact]
    public async Task A_required_function_is_called_and_no_other()
    {
        foreach (var seed in Enumerable.Range(0, 3))
        {
            var calls = Calls(await Client.GetResponseAsync(Question, Options(seed, ChatToolMode.RequireSpecific("now")), Cancellation));
            Assert.NotEmpty(calls);
            Assert.All(calls, call => Assert.Equal("now", call.Name));
        }
    }

    [Fact]
    public async Task One_call_is_made_where_one_is_allowed()
    {
        foreach (var seed in Enumerable.Range(0, 5))
        {
            var options = Options(seed, ChatToolMode.RequireAny);
            options.AllowMultipleToolCalls = false;
            Assert.Single(Calls(await Client.GetResponseAsync(Question, options, Cancellation)));
        }
    }

    [Fact]
    public async Task No_call_is_made_where_none_is_allowed_nor_where_there_are_no_tools()
    {
        var none = Options(1, ChatToolMode.None);
        var without = Options(1, ChatToolMode.Auto);
        without.Tools = null;
        (none.MaxOutputTokens, without.MaxOutputTokens) = (40, 40);
        Assert.Empty(Calls(await Client.GetResponseAsync(Question, none, Cancellation)));
        Assert.Empty(Calls(await Client.GetResponseAsync(Question, without, Cancellation)));
    }

    [Fact]
    public async Task Streaming_gives_the_same_calls_complete_and_usage_once()
    {
        var whole = await Client.GetResponseAsync(Question, Options(2, ChatToolMode.RequireAny), Cancellation);
        var updates = await Chat.CollectAsync(Client.GetStreamingResponseAsync(Question, Options(2, ChatToolMode.RequireAny), Cancellation));
        Assert.Equal(Calls(whole).Select(Written), Calls(updates.ToChatResponse()).Select(Written));
        Assert.Single(updates.SelectMany(u => u.Contents).OfType<UsageContent>());
        Assert.Single(updates.Select(u => u.MessageId).Distinct(StringComparer.Ordinal));
        Assert.Equal(whole.Usage!.OutputTokenCount, updates.ToChatResponse().Usage!.OutputTokenCount);
    }

    [Fact]
    public async Task Results_of_every_shape_are_accepted_back()
    {
        var call = new FunctionCallContent("call-1", "get_weather", new Dictionary<string, object?> { ["city"] = "Oslo", ["unit"] = "C", ["more"] = new[] { 1, 2 }, ["none"] = null });
        foreach (var result in new object?[] { null, "", "text", 42, true, new[] { 1, 2 }, new Dictionary<string, object?> { ["a"] = null }, Schema("""{"b":[1]}"""), new TextContent("text") })
        {
            var history = new List<ChatMessage>(Question) { new(ChatRole.Assistant, [new TextContent("Let me see."), call]), new(ChatRole.Tool, [new FunctionResultContent("call-1", result)]) };
            var options = Options(1, ChatToolMode.Auto);
            options.MaxOutputTokens = 4;
            Assert.NotNull(await Client.GetResponseAsync(history, options, Cancellation));
        }
    }

    [Fact]
    public async Task A_loop_of_calls_and_results_runs_and_its_history_survives_JSON()
    {
        var history = new List<ChatMessage>(Question);
        for (var round = 0; round < 2; round++)
        {
            var response = await Client.GetResponseAsync(history, Options(round, ChatToolMode.RequireAny), Cancellation);
            history.AddMessages(response);
            history.Add(new ChatMessage(ChatRole.Tool, [.. Calls(response).Select(c => new FunctionResultContent(c.CallId, "done"))]));
            history = JsonSerializer.Deserialize<List<ChatMessage>>(JsonSerializer.Serialize(history, AIJsonUtilities.DefaultOptions), AIJsonUtilities.DefaultOptions)!;
        }

        var options = Options(1, ChatToolMode.None);
        options.MaxOutputTokens = 4;
        Assert.Empty(Calls(await Client.GetResponseAsync(history, options, Cancellation)));
    }

    [Fact]
    public async Task JSON_is_answered_where_it_is_asked_for()
    {
        foreach (var seed in Enumerable.Range(0, 3))
        {
            var options = new ChatOptions { ResponseFormat = ChatResponseFormat.ForJsonSchema(PersonSchema), Seed = seed, MaxOutputTokens = 300, AdditionalProperties = Budget() };
            var response = await Client.GetResponseAsync(Question, options, Cancellation);
            using var json = JsonDocument.Parse(response.Text);
            Assert.Equal(["age", "name"], json.RootElement.EnumerateObject().Select(m => m.Name).Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public async Task The_callers_options_stay_as_they_were()
    {
        var options = Options(1, ChatToolMode.RequireAny);
        var tools = options.Tools!.ToArray();
        await Client.GetResponseAsync(Question, options, Cancellation);
        Assert.Equal(tools, options.Tools);
        Assert.Same(ChatToolMode.RequireAny, options.ToolMode);
        Assert.Null(options.Instructions);
        Assert.Null(options.ResponseFormat);
    }

    [Fact]
    public async Task Conversations_with_tools_that_run_together_do_not_touch_each_other()
    {
        async Task<string> Ask(int seed) => string.Concat(Calls(await Client.GetResponseAsync([new(ChatRole.User, "Weather " + seed)], Options(seed, ChatToolMode.RequireAny), Cancellation)).Select(Written));
        var together = await Task.WhenAll(Enumerable.Range(0, 16).Select(seed => Task.Run(() => Ask(seed), Cancellation)));
        for (var seed = 0; seed < together.Length; seed++)
        {
            Assert.Equal(await Ask(seed), together[seed]);
        }
    }

    [Fact]
    public async Task A_call_that_is_required_of_no_function_is_refused_before_the_first_update()
    {
        await Assert.ThrowsAnyAsync<ArgumentException>(() => Client.GetResponseAsync(Question, new ChatOptions { ToolMode = ChatToolMode.RequireAny }, Cancellation));
        await Assert.ThrowsAnyAsync<ArgumentException>(() => Client.GetResponseAsync(Question, new ChatOptions { Tools = [Now], ToolMode = ChatToolMode.RequireSpecific("other") }, Cancellation));
    }

    private static ChatMessage[] Question => [new(ChatRole.System, "Use tools."), new(ChatRole.User, "Weather in Oslo?")];

    private static ChatOptions Options(int seed, ChatToolMode mode) => new() { Tools = [Weather, Now], ToolMode = mode, Seed = seed, MaxOutputTokens = 600, AdditionalProperties = Budget() };

    // Random weights would reason for ever.
    private static AdditionalPropertiesDictionary Budget() => new() { ["thinking_budget"] = 8 };

    private static List<FunctionCallContent> Calls(ChatResponse response) => [.. response.Messages.SelectMany(m => m.Contents).OfType<FunctionCallContent>()];

    private static string Written(FunctionCallContent call) => call.Name + JsonSerializer.Serialize(call.Arguments, AIJsonUtilities.DefaultOptions);

    private static void Fits(FunctionCallContent call)
    {
        Assert.Null(call.Exception);
        Assert.False(string.IsNullOrEmpty(call.CallId));
        if (call.Name == "get_weather")
        {
            Assert.Equal(["city", "unit"], call.Arguments!.Keys.Order(StringComparer.Ordinal));
        }
        else
        {
            Assert.Equal(("now", 0), (call.Name, call.Arguments!.Count));
        }
    }

    private static JsonElement Schema(string json) => JsonDocument.Parse(json).RootElement;
}
