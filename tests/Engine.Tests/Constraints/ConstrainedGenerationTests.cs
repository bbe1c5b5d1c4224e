using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.Tests.Constraints;

/// <summary>Trained weights under a grammar.</summary>
public sealed class ConstrainedGenerationTests
{
    private const string Schema = """
        {"type":"object","properties":{"name":{"type":"string","maxLength":12},"age":{"type":"integer","minimum":1,"maximum":120},"tags":{"type":"array","items":{"enum":["a","b","c"]},"minItems":1,"maxItems":3}},
         "required":["name","age","tags"],"additionalProperties":false}
        """;

    private static readonly JsonSchemaOptions s_compact = new() { FreeWhiteSpace = false };

    [Fact]
    public async Task Every_answer_is_what_its_grammar_says_alone_and_in_a_batch_and_preempted()
    {
        using var engine = LlmEngine.Load(TestAssets.TinyChat, new EngineOptions { Threads = 1, MaxBatchTokens = 64 });
        using var json = JsonDocument.Parse(Schema);
        var schema = Grammar.FromJsonSchema(json.RootElement, s_compact);
        var date = Grammar.FromRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}");
        var prompt = engine.Tokenizer!.Encode("<|im_start|>user\nWho are you?<|im_end|>\n<|im_start|>assistant\n");
        GenerationRequest[] requests =
        [
            .. Enumerable.Range(0, 4).Select(i => new GenerationRequest { Prompt = prompt, MaxOutputTokens = 120, Grammar = i % 2 == 0 ? schema : date, Sampling = new SamplingOptions { Seed = (ulong)i, Temperature = 1 } }),
        ];
        List<string> alone = [];
        foreach (var request in requests)
        {
            alone.Add(await Text(engine, request));
        }

        for (var i = 0; i < alone.Count; i++)
        {
            if (i % 2 == 1)
            {
                Assert.Matches(new Regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", RegexOptions.None, TimeSpan.FromSeconds(1)), alone[i]);
                continue;
            }

            using var answer = JsonDocument.Parse(alone[i]);
            Assert.True(answer.RootElement.GetProperty("name").GetString()!.EnumerateRunes().Count() <= 12);
            Assert.InRange(answer.RootElement.GetProperty("age").GetDouble(), 1, 120);    // an integer may be written 1e1
            Assert.InRange(answer.RootElement.GetProperty("tags").GetArrayLength(), 1, 3);
        }

        Assert.Equal(alone, await Task.WhenAll(requests.Select(r => Text(engine, r))));
    }

    [Fact]
    public async Task GS15_A_grammar_that_no_token_can_follow_ends_its_own_request_with_a_dead_end()
    {
        using var engine = LlmEngine.Load(TestAssets.TinyChat, new EngineOptions { Threads = 1 });
        // An id that no token has can never come.
        var grammar = Grammar.FromPart(GrammarPart.Sequence(GrammarPart.Text("a"), GrammarPart.Token(1_000_000)));
        var request = new GenerationRequest { Prompt = engine.Tokenizer!.Encode("a"), MaxOutputTokens = 5, Grammar = grammar };
        var error = await Assert.ThrowsAsync<GrammarException>(() => Text(engine, request));
        Assert.Equal("GrammarDeadEnd", error.Code);
        Assert.Equal("yes", await Text(engine, request with { Grammar = Grammar.FromRegex("yes") }));
    }

    private static async Task<string> Text(LlmEngine engine, GenerationRequest request)
    {
        var text = new StringBuilder();
        await using var generation = engine.Submit(request);
        await foreach (var piece in generation.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            text.Append(piece.Text);
        }

        Assert.Equal(FinishReason.Stop, generation.FinishReason);
        return text.ToString();
    }
}
