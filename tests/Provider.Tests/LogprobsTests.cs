using System.Text;
using System.Text.Json;
using KvPrefetch.AI;
using KvPrefetch.Engine.Requests;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider;

/// <summary>Log-probabilities through the whole client.</summary>
public sealed class LogprobsTests(TinyChat tiny) : IClassFixture<TinyChat>
{
    private static ChatOptions With(ChatOptions options, int top)
    {
        options.AdditionalProperties = new() { ["logprobs"] = true, ["top_logprobs"] = top };
        return options;
    }

    private Task<ChatResponse> Ask(ChatOptions options, string text = "Hello") => tiny.Client.GetResponseAsync(Chat.User(text), options, TestContext.Current.CancellationToken);

    private static List<JsonElement> Entries(ChatResponse response) => [.. ((JsonElement)response.Messages.Single().AdditionalProperties!["logprobs"]!).GetProperty("content").EnumerateArray()];

    private static string Text(IEnumerable<JsonElement> entries) =>
        Encoding.UTF8.GetString([.. entries.SelectMany(e => e.GetProperty("bytes").EnumerateArray().Select(b => b.GetByte()))]);

    [Fact]
    public async Task There_is_one_entry_for_each_token_and_together_they_spell_the_answer()
    {
        var response = await Ask(With(Chat.Sampled(30, seed: 5), top: 3));
        var entries = Entries(response);
        Assert.Equal(30, entries.Count);
        Assert.Equal(response.Text, Text(entries));
        foreach (var entry in entries)
        {
            var top = entry.GetProperty("top_logprobs").EnumerateArray().Select(t => t.GetProperty("logprob").GetSingle()).ToList();
            Assert.Equal(3, top.Count);
            Assert.Equal(top.OrderDescending(), top);
            Assert.InRange(entry.GetProperty("logprob").GetSingle(), -9999f, top[0]);
            Assert.True(top.Sum(l => Math.Exp(l)) <= 1.0001);
        }
    }

    [Fact]
    public async Task Greedy_tokens_are_the_likeliest_ones()
    {
        foreach (var entry in Entries(await Ask(With(Chat.Greedy(10), top: 1))))
        {
            Assert.Equal(entry.GetProperty("logprob").GetSingle(), entry.GetProperty("top_logprobs")[0].GetProperty("logprob").GetSingle());
        }
    }

    [Fact]
    public async Task Nothing_is_given_where_nobody_asked_and_asking_changes_no_token()
    {
        var plain = await Ask(Chat.Sampled(30, seed: 5));
        var with = await Ask(With(Chat.Sampled(30, seed: 5), top: 20));
        Assert.Null(plain.Messages.Single().AdditionalProperties);
        Assert.Equal(plain.Text, with.Text);
        Assert.Empty(Entries(await Ask(With(Chat.Sampled(1, seed: 5), top: 0)))[0].GetProperty("top_logprobs").EnumerateArray());
    }

    [Fact]
    public async Task They_are_those_of_the_model_whatever_temperature_bias_and_filters_do()
    {
        var plain = Entries(await Ask(With(Chat.Greedy(1), top: 5)))[0].GetProperty("top_logprobs").GetRawText();
        var options = With(new ChatOptions { Temperature = 2, TopK = 2, TopP = 0.5f, Seed = 1, MaxOutputTokens = 1 }, top: 5);
        options.AdditionalProperties!["logit_bias"] = new Dictionary<int, float> { [77] = 100 };
        var biased = Entries(await Ask(options))[0];
        Assert.Equal(plain, biased.GetProperty("top_logprobs").GetRawText());
        Assert.True(biased.GetProperty("logprob").GetSingle() < -1);
    }

    [Fact]
    public async Task Streamed_updates_carry_theirs_as_they_come_and_the_response_survives_JSON()
    {
        var updates = await Chat.CollectAsync(tiny.Client.GetStreamingResponseAsync(Chat.User("Hello"), With(Chat.Sampled(30, seed: 5), top: 2), TestContext.Current.CancellationToken));
        Assert.Equal(30, updates.Sum(u => ((IReadOnlyList<TokenLogprobs>)u.RawRepresentation!).Count));
        Assert.NotEmpty((IReadOnlyList<TokenLogprobs>)updates[0].RawRepresentation!);
        Assert.All(updates.SkipLast(1), u => Assert.Null(u.AdditionalProperties));
        var response = updates.ToChatResponse();
        var again = JsonSerializer.Deserialize<ChatResponse>(JsonSerializer.Serialize(response, AIJsonUtilities.DefaultOptions), AIJsonUtilities.DefaultOptions)!;
        Assert.Equal(Text(Entries(response)), Text(Entries(again)));
        Assert.Equal(response.Text, Text(Entries(again)));
    }

    [Fact]
    public async Task Alone_and_in_a_batch_they_are_the_same()
    {
        async Task<string> One(int seed) => string.Concat(Entries(await Ask(With(Chat.Sampled(20, seed), top: 4), "Text " + seed)).Select(e => e.GetRawText()));
        var together = await Task.WhenAll(Enumerable.Range(0, 16).Select(seed => Task.Run(() => One(seed))));
        for (var seed = 0; seed < together.Length; seed++)
        {
            Assert.Equal(await One(seed), together[seed]);
        }
    }

    [Fact]
    public async Task A_stop_string_and_a_grammar_leave_one_entry_for_each_generated_token()
    {
        var text = (await Ask(Chat.Sampled(30, seed: 5))).Text;
        var options = With(Chat.Sampled(30, seed: 5), top: 1);
        options.StopSequences = [text[8..10]];
        var stopped = await Ask(options);
        Assert.Equal(stopped.Usage!.OutputTokenCount, Entries(stopped).Count);
        Assert.StartsWith(stopped.Text, Text(Entries(stopped)), StringComparison.Ordinal);

        var json = With(Chat.Sampled(16, seed: 5), top: 1);
        json.ResponseFormat = ChatResponseFormat.ForJsonSchema(JsonDocument.Parse("""{"type":"object","properties":{"a_long_name":{"type":"string","minLength":50}},"required":["a_long_name"],"additionalProperties":false}""").RootElement);
        var constrained = await Ask(json);
        Assert.Equal(constrained.Text, Text(Entries(constrained)));

        // What the grammar forced was not likely: the numbers say so.
        Assert.True(Entries(constrained).Take(10).Average(e => e.GetProperty("logprob").GetSingle()) < -3);
    }
}
