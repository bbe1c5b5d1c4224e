using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using KvPrefetch.AI;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Requests;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tests.Provider;

public sealed class RequestOptionsTests
{
    private static readonly IChatClient Client = new NoClient();

    private static KvPrefetchChatOptions Resolve(ChatOptions? options) => RequestOptions.Resolve(options, Client, "tiny");

    private static ChatOptions With(string name, object? value) => new() { AdditionalProperties = new() { [name] = value } };

    private static JsonElement Element(string json) => JsonDocument.Parse(json).RootElement;

    private static void Refused(string name, ChatOptions options)
    {
        var error = Assert.Throws<InvalidRequestException>(() => Resolve(options));
        Assert.Equal(name, error.ParamName);
        Assert.Equal("InvalidRequest", error.Code);
        Assert.Contains(name, error.Message, StringComparison.OrdinalIgnoreCase);
        Assert.True(error.Message.Length < 400, error.Message);
    }

    [Fact]
    public void Every_option_reaches_the_engine()
    {
        var options = Resolve(new ChatOptions
        {
            Temperature = 0.5f,
            TopP = 0.9f,
            TopK = 40,
            FrequencyPenalty = 0.25f,
            PresencePenalty = -0.25f,
            Seed = 7,
            MaxOutputTokens = 9,
            StopSequences = ["a", "b"],
            ResponseFormat = ChatResponseFormat.Text,
            ModelId = "tiny",
            ToolMode = ChatToolMode.None,
            Tools = [],
            AllowMultipleToolCalls = true,
            AllowBackgroundResponses = true,
            Reasoning = new(),
            AdditionalProperties = new() { ["min_p"] = 0.05, ["repetition_penalty"] = 1.1, ["logit_bias"] = new Dictionary<int, float> { [3] = -5 }, ["unknown"] = new object() },
        });
        Assert.Equal(9, options.MaxOutputTokens);
        Assert.Equal(["a", "b"], options.StopSequences!);
        var sampling = options.ToSampling(new SamplingOptions());
        Assert.Equal(-5, sampling.LogitBias![3]);
        Assert.Equal(
            new SamplingOptions { Temperature = 0.5f, TopP = 0.9f, TopK = 40, FrequencyPenalty = 0.25f, PresencePenalty = -0.25f, Seed = 7, MinP = 0.05f, RepetitionPenalty = 1.1f },
            sampling with { LogitBias = null });
    }

    [Fact]
    public void What_is_left_open_is_the_models_default_and_the_seed_is_drawn_anew()
    {
        var defaults = new SamplingOptions { Temperature = 0.6f, TopK = 20, TopP = 0.95f, RepetitionPenalty = 1.05f };
        foreach (var open in new[] { null, new ChatOptions() })
        {
            var a = Resolve(open).ToSampling(defaults);
            var b = Resolve(open).ToSampling(defaults);
            Assert.NotEqual(a.Seed, b.Seed);
            Assert.Equal(defaults, a with { Seed = 0 });
        }
    }

    [Fact]
    public void Without_any_default_the_engine_samples() => Assert.Equal(1, Resolve(null).ToSampling(new SamplingOptions()).Temperature);

    [Fact]
    public void Our_own_options_win_and_the_rest_is_filled_in()
    {
        var own = new KvPrefetchChatOptions { Temperature = 0, MinP = 0.2f, StopSequences = ["own"] };
        IChatClient? given = null;
        var options = With("min_p", 0.1);
        options.Temperature = 0.7f;
        options.TopK = 5;
        options.StopSequences = ["other"];
        options.RawRepresentationFactory = client =>
        {
            given = client;
            return own;
        };
        var resolved = Resolve(options);
        Assert.Same(Client, given);
        Assert.Equal((0f, 5, 0.2f), (resolved.Temperature, resolved.TopK, resolved.MinP));
        Assert.Equal(["own"], resolved.StopSequences!);
        Assert.Null(own.TopK);
        options.RawRepresentationFactory = _ => "someone else's";
        Assert.Equal(0.7f, Resolve(options).Temperature);
    }

    public static TheoryData<object?, float?> Numbers => new()
    {
        { 0.5, 0.5f }, { 0.5f, 0.5f }, { 0.5m, 0.5f }, { 1, 1f }, { 1L, 1f }, { (byte)1, 1f }, { (Half)0.5, 0.5f }, { Element("0.5"), 0.5f }, { Element("1"), 1f },
        { JsonValue.Create(0.5), 0.5f }, { JsonNode.Parse("0.5"), 0.5f }, { JsonValue.Create(1), 1f }, { null, null }, { Element("null"), null },
    };

    [Theory]
    [MemberData(nameof(Numbers), DisableDiscoveryEnumeration = true)]
    public void Additional_numbers_may_be_JSON(object? value, float? expected)
    {
        Assert.Equal(expected, Resolve(With("min_p", value)).MinP);
        Assert.Equal(expected, Resolve(With("repetition_penalty", value)).RepetitionPenalty);
    }

    public static TheoryData<object> Biases => [
        new Dictionary<int, float> { [3] = -1, [4] = 2 },
        new Dictionary<string, object?> { ["3"] = -1, ["4"] = 2.0 },
        new Dictionary<string, int> { ["3"] = -1, ["4"] = 2 },
        new Dictionary<int, double> { [3] = -1, [4] = 2 },
        new Dictionary<long, decimal> { [3] = -1, [4] = 2 },
        Element("""{"3":-1,"4":2}"""),
        JsonNode.Parse("""{"3":-1,"4":2}""")!];

    [Theory]
    [MemberData(nameof(Biases), DisableDiscoveryEnumeration = true)]
    public void A_logit_bias_may_come_as_any_map_from_ids_to_numbers(object bias) =>
        Assert.Equal(new Dictionary<int, float> { [3] = -1, [4] = 2 }, Resolve(With("logit_bias", bias)).LogitBias!);

    public static TheoryData<string, ChatOptions> Unsupported => new()
    {
        { "ConversationId", new() { ConversationId = "c" } },
    };

    [Theory]
    [MemberData(nameof(Unsupported), DisableDiscoveryEnumeration = true)]
    public void What_is_not_supported_yet_is_refused_by_name(string name, ChatOptions options) => Refused(name, options);

    [Fact]
    public void Unknown_kinds_of_tools_and_switched_off_extras_are_ignored()
    {
        Resolve(new() { Tools = [new HostedWebSearchTool()], ToolMode = ChatToolMode.Auto });
        Resolve(new() { ConversationId = "" });
    }

    [Theory]
    [InlineData("false", "0", null)]
    [InlineData("null", "null", null)]
    [InlineData("true", "null", 0)]
    [InlineData("true", "5", 5)]
    [InlineData("null", "20", 20)]
    public void Logprobs_are_asked_for_as_at_OpenAI_whatever_the_values_type(string logprobs, string top, int? expected)
    {
        Assert.Equal(expected, Resolve(new() { AdditionalProperties = new() { ["logprobs"] = Element(logprobs), ["top_logprobs"] = Element(top) } }).TopLogprobs);
        Assert.Equal(expected, Resolve(new() { AdditionalProperties = new() { ["logprobs"] = JsonNode.Parse(logprobs), ["top_logprobs"] = JsonNode.Parse(top) } }).TopLogprobs);
        Assert.Equal(expected, Resolve(new() { AdditionalProperties = new() { ["logprobs"] = logprobs == "true", ["top_logprobs"] = top == "null" ? 0 : int.Parse(top, CultureInfo.InvariantCulture) } }).TopLogprobs);
    }

    public static TheoryData<string, ChatOptions> OutOfRange => new()
    {
        { "cache_salt", With("cache_salt", 5) },
        { "top_logprobs", With("top_logprobs", 1_000_000) }, // CR12
        { "top_logprobs", With("top_logprobs", 21) },
        { "top_logprobs", With("top_logprobs", -1) },
        { "top_logprobs", With("top_logprobs", "many") },
        { "MaxOutputTokens", new() { MaxOutputTokens = 0 } }, // CR05
        { "MaxOutputTokens", new() { MaxOutputTokens = -1 } },
        { "Temperature", new() { Temperature = -1 } }, // CR07
        { "Temperature", new() { Temperature = float.NaN } },
        { "Temperature", new() { Temperature = float.PositiveInfinity } },
        { "TopP", new() { TopP = 0 } },
        { "TopP", new() { TopP = 2 } },
        { "TopP", new() { TopP = float.NaN } },
        { "TopK", new() { TopK = -5 } },
        { "FrequencyPenalty", new() { FrequencyPenalty = 1e9f } },
        { "FrequencyPenalty", new() { FrequencyPenalty = -1e9f } },
        { "PresencePenalty", new() { PresencePenalty = float.NaN } },
        { "MinP", With("min_p", 1.1) },
        { "MinP", With("min_p", -0.1) },
        { "MinP", With("min_p", Element("1e400")) },
        { "RepetitionPenalty", With("repetition_penalty", 0) },
        { "RepetitionPenalty", With("repetition_penalty", double.PositiveInfinity) },
        { "min_p", With("min_p", "0.5") }, // CR15, CR18
        { "min_p", With("min_p", new object()) },
        { "min_p", With("min_p", Element("[]")) },
        { "logit_bias", With("logit_bias", 5) },
        { "logit_bias", With("logit_bias", Element("[1]")) },
        { "LogitBias", With("logit_bias", new Dictionary<int, float> { [-1] = 1 }) }, // CR08
        { "logit_bias", With("logit_bias", new Dictionary<string, float> { ["abc"] = 1 }) },
        { "logit_bias", With("logit_bias", new Dictionary<string, object?> { ["1"] = "x" }) },
        { "logit_bias", With("logit_bias", new Dictionary<string, object?> { ["1"] = null }) },
        { "logit_bias", With("logit_bias", new Dictionary<double, float> { [1.5] = 1 }) },
        { "LogitBias", With("logit_bias", new Dictionary<int, float> { [1] = float.PositiveInfinity }) },
        { "LogitBias", With("logit_bias", new Dictionary<int, float> { [1] = float.NaN }) },
        { "logit_bias", With("logit_bias", Enumerable.Range(0, 1_000_000).ToDictionary(i => i, _ => 1f)) },
        { "logit_bias", With("logit_bias", Enumerable.Range(0, 1025).ToDictionary(i => i.ToString(), _ => 1)) },
        { "logit_bias", new() { RawRepresentationFactory = _ => new KvPrefetchChatOptions { LogitBias = Enumerable.Range(0, 1025).ToDictionary(i => i, _ => 1f) } } },
        { "StopSequences", new() { StopSequences = [""] } }, // CR10
        { "StopSequences", new() { StopSequences = ["ok", null!] } },
        { "StopSequences", new() { StopSequences = [new string('a', 1 << 20)] } },
        { "StopSequences", new() { StopSequences = [.. Enumerable.Repeat("a", 10_000)] } },
        { "ModelId", new() { ModelId = "gpt-7" } }, // CR19
        { "ModelId", new() { ModelId = "../../tiny" } },
        { "ModelId", new() { ModelId = "" } },
        { "ModelId", new() { ModelId = new string('m', 100_000) } },
    };

    [Theory]
    [MemberData(nameof(OutOfRange), DisableDiscoveryEnumeration = true)]
    public void CR05_CR07_CR08_CR10_CR15_CR18_CR19_a_value_out_of_range_or_of_the_wrong_type_is_refused_by_name(string name, ChatOptions options) => Refused(name, options);

    [Fact]
    public void CR07_the_ends_of_each_range_are_taken()
    {
        Resolve(new() { Temperature = 0, TopP = 1, TopK = 0, FrequencyPenalty = 2, PresencePenalty = -2, MaxOutputTokens = 1 });
        Resolve(new() { Temperature = 100, TopP = float.Epsilon, TopK = int.MaxValue, FrequencyPenalty = -2, PresencePenalty = 2, MaxOutputTokens = int.MaxValue });
        Resolve(new() { Temperature = 1e-30f, StopSequences = [.. Enumerable.Repeat(new string('a', 256), 16)] });
        Resolve(With("min_p", 0));
        Resolve(With("min_p", 1));
        Resolve(With("logit_bias", new Dictionary<int, float> { [int.MaxValue - 1] = float.NegativeInfinity }));
        Resolve(With("logit_bias", new Dictionary<int, float>()));
        Resolve(new() { StopSequences = [] });
    }

    [Theory]
    [InlineData(-1L, ulong.MaxValue)]
    [InlineData(long.MaxValue, (ulong)long.MaxValue)]
    [InlineData(0L, 0UL)]
    public void CR11_any_seed_is_taken(long seed, ulong expected) => Assert.Equal(expected, Resolve(new() { Seed = seed }).ToSampling(new()).Seed);

    [Fact]
    public void CR19_the_error_names_the_model_that_is_loaded() =>
        Assert.Contains("'tiny' is", Assert.Throws<InvalidRequestException>(() => Resolve(new() { ModelId = "other" })).Message, StringComparison.Ordinal);

    private sealed class NoClient : IChatClient
    {
        public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
        }
    }
}
