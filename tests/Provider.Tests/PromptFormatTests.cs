using KvPrefetch.AI;
using KvPrefetch.Engine;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider;

/// <summary>How folders with and without a chat template are written, and when an answer ends.</summary>
public sealed class PromptFormatTests
{
    private static readonly ChatMessage[] Hello = Chat.User("Hello");

    private static ChatOptions Choosing(int token) => new() { Temperature = 0, MaxOutputTokens = 5, AdditionalProperties = new() { ["logit_bias"] = new Dictionary<int, float> { [token] = 1000 } } };

    [Fact]
    public async Task A_stop_token_of_the_model_ends_the_answer_and_adds_no_text()
    {
        using var model = TinyModel.Create();
        using var client = new KvPrefetchChatClient(Chat.Options(model));
        var response = await client.GetResponseAsync(Hello, Choosing(TinyModel.EndOfTurnId));
        Assert.Equal(("", ChatFinishReason.Stop, 1), (response.Text, response.FinishReason, response.Usage!.OutputTokenCount));
    }

    [Fact]
    public async Task Defaults_come_from_generation_config()
    {
        using var model = TinyModel.Create(new() { EndsItself = false, EditGenerationConfig = c => (c["do_sample"], c["top_k"], c["temperature"]) = (true, 1, 0.5) });
        using var client = new KvPrefetchChatClient(Chat.Options(model));
        var greedy = (await client.GetResponseAsync(Hello, Chat.Greedy(16))).Text;
        Assert.Equal(greedy, (await client.GetResponseAsync(Hello, new() { MaxOutputTokens = 16 })).Text);
        Assert.NotEqual(greedy, (await client.GetResponseAsync(Hello, new() { MaxOutputTokens = 16, TopK = 0, Temperature = 2 })).Text);
    }

    [Fact]
    public async Task Without_a_template_the_vocabularys_ChatML_is_written_and_its_end_of_turn_ends_the_answer()
    {
        using var plain = TinyModel.Create(new() { ChatTemplate = null, EndsItself = false });
        using var client = new KvPrefetchChatClient(Chat.Options(plain));
        var response = await client.GetResponseAsync(Hello, Choosing(TinyModel.EndOfTurnId));
        Assert.Equal((ChatFinishReason.Stop, 1), (response.FinishReason, response.Usage!.OutputTokenCount));

        // The same weights with the template, which is ChatML too: the same prompt.
        using var templated = TinyModel.Create(new() { EndsItself = false });
        using var other = new KvPrefetchChatClient(Chat.Options(templated));
        var (a, b) = (await client.GetResponseAsync(Hello, Chat.Greedy(8)), await other.GetResponseAsync(Hello, Chat.Greedy(8)));
        Assert.Equal((b.Text, b.Usage!.InputTokenCount), (a.Text, a.Usage!.InputTokenCount));
    }

    [Fact]
    public async Task Without_template_and_ChatML_a_plain_transcript_is_written_and_said_so()
    {
        using var model = TinyModel.Create(new() { ChatTemplate = null, EndsItself = false });
        foreach (var file in new[] { "tokenizer.json", "tokenizer_config.json" })
        {
            var path = Path.Combine(model.Path, file);
            File.WriteAllText(path, File.ReadAllText(path).Replace("<|im_", "<|xx_", StringComparison.Ordinal));
        }

        using var engine = LlmEngine.Load(model.Path, new EngineOptions { Threads = 1, KvCacheBytes = 16 << 20 });
        var log = new List<string>();
        var format = PromptFormat.For(engine, log.Add);
        Assert.Contains("no chat template", Assert.Single(log), StringComparison.Ordinal);
        Assert.Equal(["\nUser:"], format.StopStrings);
        Assert.Equal(engine.Tokenizer!.Encode("User: Hello\nAssistant:"), format.Encode(PromptBuilder.Build(Hello, null)));
        using var client = new KvPrefetchChatClient(engine);
        Assert.Equal(5, (await client.GetResponseAsync(Hello, Chat.Greedy(5))).Usage!.OutputTokenCount);
        var stops = Chat.Greedy(5);
        stops.StopSequences = [.. Enumerable.Range(0, 16).Select(i => "stop" + i)];
        Assert.Equal(5, (await client.GetResponseAsync(Hello, stops)).Usage!.OutputTokenCount);
    }

    [Fact]
    public async Task A_folder_without_tokenizer_cannot_chat()
    {
        using var model = TinyModel.Create(new() { Tokenizer = false });
        using var client = new KvPrefetchChatClient(Chat.Options(model));
        Assert.Equal("tokenizer.json", (await Assert.ThrowsAsync<UnsupportedModelException>(() => client.LoadAsync())).Field);
        using var engine = LlmEngine.Load(model.Path, new EngineOptions { Threads = 1, KvCacheBytes = 16 << 20 });
        Assert.Throws<UnsupportedModelException>(() => new KvPrefetchChatClient(engine));
    }

    [Theory]
    [InlineData("{{ raise_exception('System role not supported') }}", "ChatTemplateRaised")]
    [InlineData("{% for m in messages %}{{ m.content.nothing.here }}{% endfor %}", "ChatTemplateRaised")]
    public async Task A_template_that_refuses_the_messages_throws_its_own_error(string template, string code)
    {
        using var model = TinyModel.Create(new() { ChatTemplate = template });
        using var client = new KvPrefetchChatClient(Chat.Options(model));
        Assert.Equal(code, (await Assert.ThrowsAsync<ChatTemplateException>(() => client.GetResponseAsync(Hello))).Code);
    }

    [Fact]
    public async Task CR20_an_empty_prompt_is_refused()
    {
        using var model = TinyModel.Create(new() { ChatTemplate = "{# nothing #}" });
        using var client = new KvPrefetchChatClient(Chat.Options(model));
        Assert.Equal("messages", (await Assert.ThrowsAsync<InvalidRequestException>(() => client.GetResponseAsync(Hello))).ParamName);
    }

    [Fact]
    public void Calls_are_left_to_a_template_that_writes_them_and_become_text_for_one_that_does_not()
    {
        const string Writes = "{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}[{{ c.function.name }}|{{ c.function.arguments.city }}]{% endfor %}{% endfor %}";
        ChatMessage[] messages = [new(ChatRole.Assistant, [new FunctionCallContent("c", "Weather", new Dictionary<string, object?> { ["city"] = "Rome" })])];
        string Written(string template)
        {
            using var model = TinyModel.Create(new() { ChatTemplate = template });
            using var engine = LlmEngine.Load(model.Path, new EngineOptions { Threads = 1, KvCacheBytes = 16 << 20 });
            return engine.Tokenizer!.Decode(PromptFormat.For(engine, _ => { }).Encode(PromptBuilder.Build(messages, null)));
        }

        Assert.Equal("[Weather|Rome]", Written(Writes));
        Assert.Equal("<tool_call>\n{\"name\":\"Weather\",\"arguments\":{\"city\":\"Rome\"}}\n</tool_call>", Written("{% for m in messages %}{{ m.content }}{% endfor %}"));
    }
}
