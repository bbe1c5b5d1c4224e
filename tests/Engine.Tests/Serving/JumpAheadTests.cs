using System.Text;
using System.Text.Json;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Text.Constraints;

namespace KvPrefetch.Tests.Serving;

/// <summary>Text that a grammar forces is taken without running the model for it: nothing but the number of steps may tell.</summary>
public sealed class JumpAheadTests : IDisposable
{
    private const string LongKeys = """
        {"type":"object","properties":{"the_first_of_the_long_names":{"enum":["red","green","blue"]},"the_second_of_the_long_names":{"type":"integer","minimum":0,"maximum":99},"the_third_and_last":{"type":"string","maxLength":5}},
         "required":["the_first_of_the_long_names","the_second_of_the_long_names","the_third_and_last"],"additionalProperties":false}
        """;

    private readonly TinyModel _model = TinyModel.Create(new() { Std = 0.02 });

    public void Dispose() => _model.Dispose();

    private LlmEngine Load(int threads = 1, long cache = 16 << 20, int batch = 64) => LlmEngine.Load(_model.Path, new EngineOptions { Threads = threads, KvCacheBytes = cache, MaxBatchTokens = batch, MaxBatchSequences = 16 });

    private static Grammar Schema()
    {
        using var json = JsonDocument.Parse(LongKeys);
        return Grammar.FromJsonSchema(json.RootElement, new JsonSchemaOptions { FreeWhiteSpace = false });
    }

    private static Grammar[] Grammars() => [Schema(), Grammar.FromRegex("The answer is (yes|no|perhaps), and nothing but [0-9]{1,3} kilometres\\."), Grammar.AnyJsonObject(new JsonSchemaOptions { FreeWhiteSpace = false }), Grammar.FromRegex("forced from its first letter to its last")];

    private static GenerationRequest Request(LlmEngine engine, Grammar grammar, int seed, bool jumps) => new()
    {
        Prompt = engine.Tokenizer!.Encode("Number " + seed),
        Grammar = grammar,
        MaxOutputTokens = 100,
        JumpsAhead = jumps,
        Sampling = new SamplingOptions { Seed = (ulong)seed, Temperature = seed % 3 == 0 ? 0 : 1, FrequencyPenalty = 0.5f, RepetitionPenalty = 1.1f },
    };

    private static async Task<(string Text, List<int> Tokens, FinishReason? Finish, int Generated)> Read(LlmEngine engine, GenerationRequest request)
    {
        await using var generation = engine.Submit(request);
        var (text, tokens) = (new StringBuilder(), new List<int>());
        await foreach (var piece in generation.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            text.Append(piece.Text);
            if (piece.Token is { } token)
            {
                tokens.Add(token);
            }
        }

        Assert.Equal(tokens.Count, generation.GeneratedTokens);
        return (text.ToString(), tokens, generation.FinishReason, generation.GeneratedTokens);
    }

    private static void Same((string Text, List<int> Tokens, FinishReason? Finish, int Generated) expected, (string Text, List<int> Tokens, FinishReason? Finish, int Generated) actual)
    {
        Assert.Equal(expected.Text, actual.Text);
        Assert.Equal(expected.Tokens, actual.Tokens);
        Assert.Equal((expected.Finish, expected.Generated), (actual.Finish, actual.Generated));
    }

    [Fact]
    public async Task Tokens_text_finish_and_counts_are_those_of_one_token_at_a_time()
    {
        using var engine = Load();
        foreach (var grammar in Grammars())
        {
            for (var seed = 0; seed < 6; seed++)
            {
                Same(await Read(engine, Request(engine, grammar, seed, jumps: false)), await Read(engine, Request(engine, grammar, seed, jumps: true)));
            }
        }
    }

    [Fact]
    public async Task KV04_with_a_tiny_cache_and_in_a_crowd_the_answers_are_those_given_alone()
    {
        var grammars = Grammars();
        using var roomy = Load();
        var expected = new List<(string, List<int>, FinishReason?, int)>();
        for (var seed = 0; seed < 24; seed++)
        {
            expected.Add(await Read(roomy, Request(roomy, grammars[seed % 4], seed, jumps: false)));
        }

        // Room for two or three sequences: the others are preempted again and again, or wait.
        using var tight = Load(cache: 3 * 10 * 16 * 768, batch: 16);
        Assert.InRange(tight.Stats.PagesTotal, 8, 40);
        var together = await Task.WhenAll(Enumerable.Range(0, 24).Select(seed => Read(tight, Request(tight, grammars[seed % 4], seed, jumps: true))));
        for (var seed = 0; seed < 24; seed++)
        {
            Same(expected[seed], together[seed]);
        }

        Assert.True(tight.Stats.Preemptions > 0, "the cache must be too small");
        Assert.Equal(0, tight.Stats.PagesUsed);
    }

    [Fact]
    public async Task Every_length_limit_cuts_where_it_cuts_one_token_at_a_time()
    {
        using var engine = Load();
        var schema = Schema();
        for (var limit = 1; limit < 60; limit++)
        {
            var request = Request(engine, schema, 7, jumps: false) with { MaxOutputTokens = limit };
            var expected = await Read(engine, request);
            Same(expected, await Read(engine, request with { JumpsAhead = true }));
            Assert.True(expected.Finish == FinishReason.Stop || expected.Generated == limit);
        }
    }

    [Fact]
    public async Task Stop_strings_within_forced_text_cut_it_at_the_same_place_and_count_the_same_tokens()
    {
        using var engine = Load();
        var schema = Schema();
        var text = (await Read(engine, Request(engine, schema, 3, jumps: false))).Text;
        for (var at = 0; at + 3 <= text.Length; at += 2)
        {
            var request = Request(engine, schema, 3, jumps: false) with { StopStrings = [text.Substring(at, 3)] };
            Same(await Read(engine, request), await Read(engine, request with { JumpsAhead = true }));
        }
    }

    [Fact]
    public async Task A_request_that_is_left_within_forced_text_frees_its_pages_and_harms_nobody()
    {
        using var engine = Load();
        var schema = Schema();
        var expected = await Read(engine, Request(engine, schema, 5, jumps: false));
        for (var leave = 1; leave < 30; leave++)
        {
            var beside = Read(engine, Request(engine, schema, 5, jumps: true));
            await using (var generation = engine.Submit(Request(engine, schema, 11, jumps: true)))
            {
                var read = 0;
                await foreach (var piece in generation.ReadAllAsync(TestContext.Current.CancellationToken))
                {
                    if (++read == leave)
                    {
                        break;
                    }
                }
            }

            Same(expected, await beside);
        }
    }

    [Fact]
    public async Task A_forced_token_that_the_caller_forbids_is_not_taken_unseen()
    {
        using var engine = Load();
        var grammar = Grammar.FromRegex("forced");
        var token = (await Read(engine, Request(engine, grammar, 1, jumps: true))).Tokens[0];
        var request = Request(engine, grammar, 1, jumps: true);
        request = request with { Sampling = request.Sampling with { LogitBias = new Dictionary<int, float> { [token] = float.NegativeInfinity } } };
        await Assert.ThrowsAsync<NumericalFaultException>(() => Read(engine, request));
    }

    [Fact]
    public async Task Fewer_steps_are_run()
    {
        using var engine = Load();
        async Task<(long Steps, int Tokens)> Steps(bool jumps)
        {
            // Decode time alone would wobble: rows that were computed are counted instead.
            var before = engine.Stats.GeneratedTokens;
            var sampled = 0;
            await using var generation = engine.Submit(Request(engine, Schema(), 3, jumps));
            var timestamps = new HashSet<TimeSpan>();
            await foreach (var piece in generation.ReadAllAsync(TestContext.Current.CancellationToken))
            {
                sampled += piece.Token is null ? 0 : 1;
                timestamps.Add(generation.DecodeTime);
            }

            Assert.Equal(sampled, engine.Stats.GeneratedTokens - before);
            return (timestamps.Count, sampled);
        }

        var (one, with) = (await Steps(jumps: false), await Steps(jumps: true));
        Assert.Equal(one.Tokens, with.Tokens);
        Assert.True(with.Steps * 2 < one.Steps, $"{with.Steps} steps, {one.Steps} without");
    }
}
