using System.Text.Json;
using KvPrefetch.AI;
using KvPrefetch.Engine;
using KvPrefetch.Tests.Provider.ToolCalls;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider;

/// <summary>Tools, formats and reasoning through the whole client, on random weights: what is enforced holds for a model that knows nothing.</summary>
public sealed class ToolCallingTests : IDisposable
{
    private const string Hermes =
        "{% if tools %}<|im_start|>system\n{% for t in tools %}{{ t | tojson }}\n{% endfor %}<|im_end|>\n{% endif %}" +
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{% for c in m.tool_calls or [] %}<tool_call>\n{{ {'name': c.function.name, 'arguments': c.function.arguments} | tojson }}\n</tool_call>{% endfor %}<|im_end|>\n{% endfor %}" +
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

    private readonly TinyModel _model = TinyModel.Create(new() { ChatTemplate = Hermes, ContextLength = 2048, Std = 0.02 });
    private readonly KvPrefetchChatClient _client;

    public ToolCallingTests()
    {
        AddedTags.Write(_model.Path, ["<tool_call>", "</tool_call>"]);
        _client = new KvPrefetchChatClient(Chat.Options(_model));
    }

    private static AIFunctionDeclaration Weather { get; } = AIFunctionFactory.CreateDeclaration(
        "get_weather", "Of a city.", JsonDocument.Parse("""{"type":"object","properties":{"city":{"type":"string","maxLength":8},"unit":{"enum":["C","F"]}},"required":["city","unit"],"additionalProperties":false}""").RootElement);

    private static AIFunctionDeclaration Now { get; } = AIFunctionFactory.CreateDeclaration("now", "The time.", JsonDocument.Parse("""{"type":"object","properties":{},"additionalProperties":false}""").RootElement);

    private static ChatOptions With(ChatToolMode mode, long seed, params AITool[] tools) => new() { Tools = [.. tools], ToolMode = mode, Seed = seed, Temperature = 1, MaxOutputTokens = 400 };

    public void Dispose()
    {
        _client.Dispose();
        _model.Dispose();
    }

    [Fact]
    public async Task A_required_call_is_a_call_whatever_the_weights()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            var response = await _client.GetResponseAsync(Chat.User("Weather?"), With(ChatToolMode.RequireAny, seed, Weather, Now));
            var calls = response.Messages.Single().Contents.OfType<FunctionCallContent>().ToList();
            if (response.FinishReason == ChatFinishReason.Length)
            {
                continue;
            }

            Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
            Assert.NotEmpty(calls);
            Assert.All(calls, Fits);
            Assert.Equal(calls.Count, calls.Select(c => c.CallId).Distinct(StringComparer.Ordinal).Count());
            Assert.Equal("", response.Text);
            Assert.Single(response.Messages.Single().Contents.OfType<UsageContent>().Concat([new UsageContent(response.Usage!)]));
        }
    }

    [Fact]
    public async Task A_required_function_is_the_one_that_is_called_and_once_where_one_is_allowed()
    {
        for (var seed = 0; seed < 10; seed++)
        {
            var options = With(ChatToolMode.RequireSpecific("now"), seed, Weather, Now);
            options.AllowMultipleToolCalls = false;
            var call = Assert.Single((await _client.GetResponseAsync(Chat.User("Weather?"), options)).Messages.Single().Contents.OfType<FunctionCallContent>());
            Assert.Equal(("now", 0), (call.Name, call.Arguments!.Count));
        }
    }

    [Fact]
    public async Task Calls_come_in_the_last_update_with_usage_and_finish_reason()
    {
        var updates = await Chat.CollectAsync(_client.GetStreamingResponseAsync(Chat.User("Weather?"), With(ChatToolMode.RequireSpecific("now"), 1, Now)));
        Assert.DoesNotContain(updates.SkipLast(1), u => u.Contents.Any(c => c is FunctionCallContent));
        Assert.Contains(updates[^1].Contents, c => c is FunctionCallContent);
        Assert.Single(updates[^1].Contents.OfType<UsageContent>());
        Assert.Equal(ChatFinishReason.ToolCalls, updates[^1].FinishReason);
    }

    [Fact]
    public async Task A_loop_of_calls_and_results_goes_on_until_it_is_answered()
    {
        var history = new List<ChatMessage>(Chat.User("Weather?"));
        for (var round = 0; round < 3; round++)
        {
            var response = await _client.GetResponseAsync(history, With(ChatToolMode.RequireSpecific("now"), round, Weather, Now));
            history.AddMessages(response);
            foreach (var call in response.Messages.Single().Contents.OfType<FunctionCallContent>())
            {
                history.Add(new ChatMessage(ChatRole.Tool, [new FunctionResultContent(call.CallId, "noon <tool_call> <|im_end|>")]));
            }
        }

        var last = await _client.GetResponseAsync(history, new ChatOptions { MaxOutputTokens = 8, Temperature = 0, Tools = [Weather, Now], ToolMode = ChatToolMode.None });
        Assert.DoesNotContain(last.Messages.Single().Contents, c => c is FunctionCallContent);
        Assert.Contains(JsonSerializer.Serialize(history, AIJsonUtilities.DefaultOptions), JsonSerializer.Serialize(JsonSerializer.Deserialize<List<ChatMessage>>(JsonSerializer.Serialize(history, AIJsonUtilities.DefaultOptions), AIJsonUtilities.DefaultOptions), AIJsonUtilities.DefaultOptions), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Text_under_a_schema_is_JSON_that_fits_it()
    {
        var schema = JsonDocument.Parse("""{"type":"object","properties":{"name":{"type":"string","maxLength":10},"age":{"type":"integer","minimum":0,"maximum":130}},"required":["name","age"],"additionalProperties":false}""").RootElement;
        for (var seed = 0; seed < 10; seed++)
        {
            var response = await _client.GetResponseAsync(Chat.User("Who?"), new ChatOptions { ResponseFormat = ChatResponseFormat.ForJsonSchema(schema), Seed = seed, MaxOutputTokens = 400 });
            if (response.FinishReason == ChatFinishReason.Stop)
            {
                using var json = JsonDocument.Parse(response.Text);
                Assert.Equal(JsonValueKind.String, json.RootElement.GetProperty("name").ValueKind);
                Assert.InRange(json.RootElement.GetProperty("age").GetDouble(), 0, 130);
            }
        }
    }

    [Fact]
    public async Task The_schema_is_shown_to_the_model_and_one_that_cannot_be_enforced_is_refused_with_its_pointer()
    {
        var schema = JsonDocument.Parse("""{"type":"object","properties":{"a":{"const":"b"}},"required":["a"],"additionalProperties":false}""").RootElement;
        var without = await _client.GetResponseAsync(Chat.User("Who?"), new ChatOptions { MaxOutputTokens = 1 });
        var with = await _client.GetResponseAsync(Chat.User("Who?"), new ChatOptions { ResponseFormat = ChatResponseFormat.ForJsonSchema(schema), MaxOutputTokens = 20 });
        Assert.Equal("""{"a":"b"}""", with.Text);
        Assert.True(with.Usage!.InputTokenCount > without.Usage!.InputTokenCount + 50);
        var remote = JsonDocument.Parse("""{"properties":{"a":{"$ref":"http://169.254.169.254/x"}}}""").RootElement;
        await Assert.ThrowsAsync<GrammarException>(() => _client.GetResponseAsync(Chat.User("Who?"), new ChatOptions { ResponseFormat = ChatResponseFormat.ForJsonSchema(remote) }));
    }

    [Fact]
    public async Task GS16_an_answer_that_is_cut_within_JSON_or_a_call_says_length_and_gives_no_call()
    {
        var json = await _client.GetResponseAsync(Chat.User("Who?"), new ChatOptions { ResponseFormat = ChatResponseFormat.Json, MaxOutputTokens = 1 });
        Assert.Equal(ChatFinishReason.Length, json.FinishReason);
        var options = With(ChatToolMode.RequireAny, 3, Weather);
        options.MaxOutputTokens = 6;
        var call = await _client.GetResponseAsync(Chat.User("Weather?"), options);
        Assert.Equal(ChatFinishReason.Length, call.FinishReason);
        Assert.DoesNotContain(call.Messages.Single().Contents, c => c is FunctionCallContent);
        Assert.Equal("IncompleteToolCall", Assert.Single(call.Messages.Single().Contents.OfType<ErrorContent>()).ErrorCode);
    }

    [Fact]
    public async Task Tools_that_are_not_to_be_called_are_shown_all_the_same()
    {
        var none = await _client.GetResponseAsync(Chat.User("Weather?"), With(ChatToolMode.None, 1, Weather, Now) is var o ? Short(o) : null);
        var without = await _client.GetResponseAsync(Chat.User("Weather?"), new ChatOptions { Seed = 1, MaxOutputTokens = 24 });
        Assert.Empty(none.Messages.Single().Contents.OfType<FunctionCallContent>());
        Assert.True(none.Usage!.InputTokenCount > without.Usage!.InputTokenCount + 50);
    }

    [Fact]
    public async Task Sixty_four_conversations_with_tools_and_schemas_answer_together_and_preempted_as_they_do_alone()
    {
        var alone = new List<string>();
        for (var seed = 0; seed < 64; seed++)
        {
            alone.Add(await AskAsync(_client, seed));
        }

        Assert.Equal(alone, await Task.WhenAll(Enumerable.Range(0, 64).Select(seed => Task.Run(() => AskAsync(_client, seed)))));

        // Room for a few: the others wait, or give up their pages and compute them again.
        var options = Chat.Options(_model);
        (options.KvCacheBytes, options.ContextLength, options.PrefixCache) = (120 * 16 * 768, 1500, false);
        using var tight = new KvPrefetchChatClient(options);
        Assert.Equal(alone, await Task.WhenAll(Enumerable.Range(0, 64).Select(seed => Task.Run(() => AskAsync(tight, seed)))));
        Assert.True(tight.GetService<LlmEngine>()!.Stats.Preemptions > 0);
        await Chat.IdleAsync(tight.GetService<LlmEngine>()!);
    }

    private static async Task<string> AskAsync(KvPrefetchChatClient client, int seed)
    {
        var options = (seed % 3) switch
        {
            0 => With(ChatToolMode.RequireAny, seed, Weather, Now),
            1 => Short(With(ChatToolMode.Auto, seed, Weather, Now)),
            _ => new ChatOptions { Seed = seed, Temperature = 1, MaxOutputTokens = 200, ResponseFormat = ChatResponseFormat.ForJsonSchema(Weather.JsonSchema) },
        };
        var response = await client.GetResponseAsync(Chat.User("Weather " + seed + "?"), options);
        return response.FinishReason + response.Text + string.Concat(response.Messages.Single().Contents.OfType<FunctionCallContent>().Select(c => c.Name + JsonSerializer.Serialize(c.Arguments)));
    }

    private static ChatOptions Short(ChatOptions options)
    {
        options.MaxOutputTokens = 24;
        return options;
    }

    private static void Fits(FunctionCallContent call)
    {
        Assert.Null(call.Exception);
        if (call.Name == "get_weather")
        {
            Assert.Equal(["city", "unit"], call.Arguments!.Keys.Order(StringComparer.Ordinal));
            Assert.Contains(((JsonElement)call.Arguments["unit"]!).GetString(), new[] { "C", "F" });
        }
        else
        {
            Assert.Equal("now", call.Name);
        }
    }
}
