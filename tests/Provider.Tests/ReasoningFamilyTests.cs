using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using KvPrefetch.AI;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Text.Templates;
using KvPrefetch.Tests.Provider.ToolCalls;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider;

/// <summary>Each family's way of reasoning: budget and constraints through the whole client, switches and old reasoning through the real templates.</summary>
public sealed class ReasoningFamilyTests
{
    private const string Turns =
        "{% for t in tools or [] %}{{ t.function.name }} {{ t.function.description }} {% endfor %}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{% for c in m.tool_calls or [] %}{{ c | tojson }}{% endfor %}<|im_end|>\n{% endfor %}<|im_start|>assistant\n";

    private static readonly JsonElement Schema = Parse("""{"type":"object","properties":{"a":{"type":"boolean"}},"required":["a"],"additionalProperties":false}""");
    private static readonly AIFunctionDeclaration Now = AIFunctionFactory.CreateDeclaration("now", "", Parse("""{"type":"object","properties":{},"additionalProperties":false}"""));

    /// <summary>What a template holds, its tags as tokens of the vocabulary, and how the prompt ends; an end that opens nothing leaves it to the model.</summary>
    public static TheoryData<string, string[], string> Families => new()
    {
        { "<think>", ["<think>", "</think>"], "<think>\n" },
        { "<think>", ["<think>", "</think>"], "" },
        { "<think>", [], "<think>\n" },
        { "<seed:think>", ["<seed:think>", "</seed:think>"], "<seed:think>" },
        { "[THINK]", ["[THINK]", "[/THINK]"], "[THINK]" },
        { "<|START_THINKING|>", ["<|START_THINKING|>", "<|END_THINKING|>"], "<|START_THINKING|>" },
        { "<|inner_prefix|>", ["<|inner_prefix|>", "<|inner_suffix|>"], "<|inner_prefix|>" },
        { "[BEGIN FINAL RESPONSE]", [], "Here are my reasoning steps:\n" },
        { "<|channel>thought", ["<|channel>", "<channel|>"], "<|channel>thought\n" },
        { "<|channel|><|message|>", ["<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|call|>", "<|return|>", "<|constrain|>"], "" },
    };

    [Theory]
    [MemberData(nameof(Families))]
    public async Task A_budget_is_kept_and_what_was_asked_for_begins_after_reasoning(string family, string[] tags, string tail)
    {
        using var model = TinyModel.Create(new() { ChatTemplate = "{# " + family + " #}" + Turns + tail, ContextLength = 1024, Std = 0.02 });
        AddedTags.Write(model.Path, tags);
        using var client = new KvPrefetchChatClient(Chat.Options(model));
        for (var seed = 0; seed < 4; seed++)
        {
            var options = new ChatOptions { Seed = seed, Temperature = 1, MaxOutputTokens = 300, AdditionalProperties = new() { ["thinking_budget"] = 12 } };
            options.ResponseFormat = ChatResponseFormat.ForJsonSchema(Schema);
            var json = await client.GetResponseAsync(Chat.User("?"), options, TestContext.Current.CancellationToken);
            Assert.Equal(ChatFinishReason.Stop, json.FinishReason);
            Assert.Contains(json.Text, new[] { """{"a":true}""", """{"a":false}""" });
            Bounded(json);

            options.ResponseFormat = null;
            (options.Tools, options.ToolMode, options.AllowMultipleToolCalls) = ([Now], ChatToolMode.RequireAny, false);
            var call = await client.GetResponseAsync(Chat.User("?"), options, TestContext.Current.CancellationToken);
            Assert.Equal("now", Assert.Single(call.Messages.Single().Contents.OfType<FunctionCallContent>()).Name);
            Assert.Equal("", call.Text);
            Bounded(call);
        }

        void Bounded(ChatResponse response)
        {
            var shown = response.Messages.Single().Contents.OfType<TextReasoningContent>().Any(c => c.Text.Length > 0);
            Assert.InRange(response.Usage!.ReasoningTokenCount!.Value, shown ? 1 : 0, 13);
            Assert.True(tail.Length == 0 || response.Usage.ReasoningTokenCount > 0);
            Assert.True(response.Usage.OutputTokenCount >= response.Usage.ReasoningTokenCount);
        }
    }

    [Theory]
    [MemberData(nameof(Families))]
    public async Task Switched_off_there_is_none_and_the_answer_is_what_was_asked_for(string family, string[] tags, string tail)
    {
        using var model = TinyModel.Create(new() { ChatTemplate = "{# " + family + " #}" + Turns + tail, ContextLength = 1024, Std = 0.02 });
        AddedTags.Write(model.Path, tags);
        using var client = new KvPrefetchChatClient(Chat.Options(model));
        var options = new ChatOptions { Seed = 1, MaxOutputTokens = 100, Reasoning = new() { Effort = ReasoningEffort.None }, ResponseFormat = ChatResponseFormat.ForJsonSchema(Schema) };
        var response = await client.GetResponseAsync(Chat.User("?"), options, TestContext.Current.CancellationToken);
        Assert.Contains(response.Text, new[] { """{"a":true}""", """{"a":false}""" });
        Assert.Empty(response.Messages.Single().Contents.OfType<TextReasoningContent>());
        Assert.Equal(0, response.Usage!.ReasoningTokenCount);
    }

    [Theory]
    [InlineData("Qwen-Qwen3-0.6B", ReasoningEffort.None, "</think>")]
    [InlineData("HuggingFaceTB-SmolLM3-3B", ReasoningEffort.None, "/no_think")]
    [InlineData("HuggingFaceTB-SmolLM3-3B", ReasoningEffort.High, "/think")]
    [InlineData("GLM-4.6", ReasoningEffort.None, "</think>")]
    [InlineData("deepseek-ai-DeepSeek-V3.1", ReasoningEffort.High, "<think>")]
    [InlineData("openai-gpt-oss-120b", ReasoningEffort.Low, "Reasoning: low")]
    [InlineData("openai-gpt-oss-120b", ReasoningEffort.High, "Reasoning: high")]
    [InlineData("ByteDance-Seed-OSS", ReasoningEffort.Low, "1024")]
    [InlineData("NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", ReasoningEffort.None, "</think>")]
    public void Effort_reaches_the_real_template(string name, ReasoningEffort effort, string expected)
    {
        var format = PromptFormat.For(Templates.Tokenizer, Templates.Real(name), _ => { });
        string Write(ReasoningEffort? asked)
        {
            var reasoning = ReasoningRequest.Of(asked is null ? null : new ChatOptions { Reasoning = new() { Effort = asked } }, maxTokens: null);
            return Templates.Tokenizer.Decode(format.Write(PromptBuilder.Build([new(ChatRole.User, "Why?")], null), tools: null, reasoning.Variables).Tokens);
        }

        Assert.Contains(expected, Write(effort), StringComparison.Ordinal);
        Assert.NotEqual(Write(effort), Write(effort is ReasoningEffort.None or ReasoningEffort.Low ? ReasoningEffort.High : ReasoningEffort.None));
    }

    public static TheoryData<string> Names => Templates.Names;

    [Theory]
    [MemberData(nameof(Names))]
    public void Old_reasoning_is_dropped_or_kept_as_the_template_wants(string name)
    {
        var template = Templates.Real(name);
        var (format, _) = Templates.Format(template);
        ChatMessage[] history =
        [
            new(ChatRole.User, "first"), new(ChatRole.Assistant, [new TextReasoningContent("old thoughts"), new TextContent("second")]),
            new(ChatRole.User, "third"), new(ChatRole.Assistant, [new TextReasoningContent("new thoughts"), new TextContent("fourth")]), new(ChatRole.User, "fifth"),
        ];
        var turns = PromptBuilder.Build(history, null);
        Assert.Equal(["old thoughts", "new thoughts"], turns.Select(t => t!["reasoning_content"]?.GetValue<string>()).OfType<string>());
        string rendered;
        try
        {
            rendered = string.Concat(template.Render((JsonArray)turns.DeepClone(), new ChatTemplateOptions()).Select(s => s.Text));
        }
        catch (ChatTemplateException)
        {
            return; // what it refuses is written otherwise: PromptFallbackTests
        }

        var written = Templates.Tokenizer.Decode(format.Write(turns, tools: null, variables: null).Tokens);
        foreach (var thoughts in new[] { "old thoughts", "new thoughts" })
        {
            Assert.Equal(rendered.Contains(thoughts, StringComparison.Ordinal), written.Contains(thoughts, StringComparison.Ordinal));
        }

        Assert.Contains("second", written, StringComparison.Ordinal);
        TestContext.Current.TestOutputHelper!.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: old {(written.Contains("old thoughts", StringComparison.Ordinal) ? "kept" : "dropped")}, new {(written.Contains("new thoughts", StringComparison.Ordinal) ? "kept" : "dropped")}"));
    }

    private static JsonElement Parse(string json) => JsonDocument.Parse(json).RootElement;
}
