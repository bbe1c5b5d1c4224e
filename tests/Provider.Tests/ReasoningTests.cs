using System.Text.Json;
using KvPrefetch.AI;
using KvPrefetch.Tests.Provider.ToolCalls;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider;

/// <summary>Reasoning through the whole client: kept apart, counted, closed when it takes too long, switched off.</summary>
public sealed class ReasoningTests : IDisposable
{
    private const string Thinks =
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% if enable_thinking is defined and not enable_thinking %}</think>\n\n{% endif %}{% endif %}";

    private readonly TinyModel _model = TinyModel.Create(new() { ChatTemplate = Thinks, EndsItself = false });
    private readonly KvPrefetchChatClient _client;

    public ReasoningTests()
    {
        AddedTags.Write(_model.Path, ["<think>", "</think>"]);
        _client = new KvPrefetchChatClient(Chat.Options(_model));
    }

    public void Dispose()
    {
        _client.Dispose();
        _model.Dispose();
    }

    private static ChatOptions Options(Action<ChatOptions>? change = null)
    {
        var options = new ChatOptions { Temperature = 1, Seed = 5, MaxOutputTokens = 60 };
        change?.Invoke(options);
        return options;
    }

    private Task<ChatResponse> Ask(ChatOptions options) => _client.GetResponseAsync(Chat.User("Why?"), options, TestContext.Current.CancellationToken);

    private static string Reasoning(ChatResponse response) => string.Concat(response.Messages.Single().Contents.OfType<TextReasoningContent>().Select(c => c.Text));

    [Fact]
    public async Task Reasoning_that_the_prompt_opened_is_reasoning_and_counted()
    {
        var response = await Ask(Options());
        Assert.NotEqual("", Reasoning(response));
        Assert.Equal("", response.Text);
        Assert.Equal((60, 60), (response.Usage!.OutputTokenCount, response.Usage.ReasoningTokenCount));
        Assert.Equal(ChatFinishReason.Length, response.FinishReason);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(45)]
    public async Task A_budget_closes_reasoning_and_the_answer_goes_on(int budget)
    {
        var response = await Ask(Options(o => o.AdditionalProperties = new() { ["thinking_budget"] = budget }));
        Assert.NotEqual("", Reasoning(response));
        Assert.InRange(response.Usage!.ReasoningTokenCount!.Value, budget, budget + 1);
        Assert.InRange(response.Usage.OutputTokenCount!.Value, 60, 63);
        Assert.NotEqual("", response.Text);
        Assert.Equal(response.Usage.InputTokenCount + response.Usage.OutputTokenCount, response.Usage.TotalTokenCount);
    }

    [Fact]
    public async Task A_budget_behind_which_nothing_fits_changes_nothing()
    {
        var free = await Ask(Options());
        var response = await Ask(Options(o => o.AdditionalProperties = new() { ["thinking_budget"] = 58 }));
        Assert.Equal((Reasoning(free), 60), (Reasoning(response), response.Usage!.OutputTokenCount));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Effort_none_gives_no_reasoning_by_the_templates_switch_or_by_closing_it(bool byBudget)
    {
        var response = await Ask(Options(o =>
        {
            o.Reasoning = byBudget ? null : new() { Effort = ReasoningEffort.None };
            o.AdditionalProperties = byBudget ? new() { ["thinking_budget"] = 0 } : null;
        }));
        Assert.Equal("", Reasoning(response));
        Assert.NotEqual("", response.Text);
        Assert.Equal(0, response.Usage!.ReasoningTokenCount);
    }

    [Fact]
    public async Task Reasoning_that_is_not_asked_for_is_not_shown_but_counted()
    {
        var response = await Ask(Options(o => o.Reasoning = new() { Output = ReasoningOutput.None }));
        Assert.Equal("", Reasoning(response));
        Assert.Equal(60, response.Usage!.ReasoningTokenCount);
    }

    [Fact]
    public async Task What_is_asked_for_begins_after_reasoning()
    {
        var schema = JsonDocument.Parse("""{"type":"object","properties":{"a":{"type":"boolean"}},"required":["a"],"additionalProperties":false}""").RootElement;
        using var model = TinyModel.Create(new() { ChatTemplate = Thinks });
        AddedTags.Write(model.Path, ["<think>", "</think>"]);
        using var client = new KvPrefetchChatClient(Chat.Options(model));
        for (var seed = 0; seed < 5; seed++)
        {
            var response = await client.GetResponseAsync(
                Chat.User("Why?"),
                new ChatOptions { Seed = seed, MaxOutputTokens = 200, ResponseFormat = ChatResponseFormat.ForJsonSchema(schema), AdditionalProperties = new() { ["thinking_budget"] = 12 } },
                TestContext.Current.CancellationToken);
            Assert.Contains(response.Text, new[] { """{"a":true}""", """{"a":false}""" });
            Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
            Assert.InRange(response.Usage!.ReasoningTokenCount!.Value, 1, 13);
        }
    }

    [Fact]
    public async Task A_response_survives_JSON_with_its_reasoning()
    {
        var response = await Ask(Options(o => o.AdditionalProperties = new() { ["thinking_budget"] = 10 }));
        var again = JsonSerializer.Deserialize<ChatResponse>(JsonSerializer.Serialize(response, AIJsonUtilities.DefaultOptions), AIJsonUtilities.DefaultOptions)!;
        Assert.Equal((response.Text, Reasoning(response)), (again.Text, Reasoning(again)));
        Assert.Equal(response.Usage!.ReasoningTokenCount, again.Usage!.ReasoningTokenCount);
        Assert.Equal(response.FinishReason, again.FinishReason);
    }

    [Fact]
    public async Task Stop_sequences_concern_the_answer_and_not_the_reasoning_before_it()
    {
        var free = await Ask(Options(o => o.AdditionalProperties = new() { ["thinking_budget"] = 10 }));
        var stop = free.Text[4..6];
        var stopped = await Ask(Options(o =>
        {
            o.AdditionalProperties = new() { ["thinking_budget"] = 10 };
            o.StopSequences = [stop];
        }));
        Assert.Equal(Reasoning(free), Reasoning(stopped));
        Assert.Equal(free.Text[..free.Text.IndexOf(stop, StringComparison.Ordinal)], stopped.Text);
        Assert.Equal(ChatFinishReason.Stop, stopped.FinishReason);
    }
}
