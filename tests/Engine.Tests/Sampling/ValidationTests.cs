using System.Globalization;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Requests;

namespace KvPrefetch.Tests.Sampling;

public class ValidationTests
{
    public static TheoryData<string, float> BadNumbers
    {
        get
        {
            var data = new TheoryData<string, float>();
            void Add(string name, params float[] values) => Array.ForEach([.. values, float.NaN, float.PositiveInfinity, float.NegativeInfinity, 1e9f, -1e9f], v => data.Add(name, v));
            Add("Temperature", -1, -1e-30f, 100.001f);
            Add("TopP", 0, -0.1f, 2, 1.0000002f);
            Add("MinP", -0.1f, 1.1f);
            Add("FrequencyPenalty", -2.001f, 2.001f);
            Add("PresencePenalty", -2.001f, 2.001f);
            Add("RepetitionPenalty", 0, -1, 0.009f, 100.1f, 1e-30f);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(BadNumbers))]
    public void CR07_an_option_out_of_range_is_refused_by_name_with_its_range(string name, float value)
    {
        var error = Assert.Throws<InvalidRequestException>(() => With(name, value).Validate(100));
        Assert.Equal((name, "InvalidRequest"), (error.ParamName, error.Code));
        Assert.Matches($"^{name} is .*; the range is .*[0-9] .*to [0-9]+", error.Message);
    }

    [Theory]
    [InlineData("Temperature", 0)]
    [InlineData("Temperature", 1e-45f)]
    [InlineData("Temperature", 100)]
    [InlineData("TopP", 1e-45f)]
    [InlineData("TopP", 1)]
    [InlineData("MinP", 0)]
    [InlineData("MinP", 1)]
    [InlineData("FrequencyPenalty", -2)]
    [InlineData("FrequencyPenalty", 2)]
    [InlineData("PresencePenalty", -2)]
    [InlineData("PresencePenalty", 2)]
    [InlineData("RepetitionPenalty", 0.01f)]
    [InlineData("RepetitionPenalty", 100)]
    public void CR07_the_ends_of_each_range_are_allowed_and_give_a_token(string name, float value)
    {
        var options = With(name, value);
        options.Validate(100);
        Assert.InRange(DistributionTests.Pick(new(100), DistributionTests.Logits(100, seed: 1), options, [1, 2], [2, 2, 3]), 0, 99);
    }

    [Theory]
    [InlineData(-5, false)]
    [InlineData(int.MinValue, false)]
    [InlineData(0, true)]
    [InlineData(int.MaxValue, true)]
    public void CR07_top_k_is_zero_or_more(int value, bool allowed)
    {
        var options = new SamplingOptions { TopK = value };
        if (allowed)
        {
            options.Validate(100);
        }
        else
        {
            Assert.Equal("TopK", Assert.Throws<InvalidRequestException>(() => options.Validate(100)).ParamName);
        }
    }

    [Theory]
    [InlineData(-1, 0f, "token -1; the range is 0 to 99")]
    [InlineData(100, 0f, "token 100; the range is 0 to 99")]
    [InlineData(int.MaxValue, 0f, "the range is 0 to 99")]
    [InlineData(5, float.PositiveInfinity, "-10000 to 10000")]
    [InlineData(5, float.NaN, "-10000 to 10000")]
    [InlineData(5, 10_001f, "10001; the range is -10000 to 10000")]
    [InlineData(5, float.MinValue, "-10000 to 10000")]
    public void CR08_a_bias_for_no_token_or_without_bounds_is_refused(int token, float bias, string message)
    {
        var error = Assert.Throws<InvalidRequestException>(() => new SamplingOptions { LogitBias = new Dictionary<int, float> { [token] = bias } }.Validate(100));
        Assert.Equal("LogitBias", error.ParamName);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CR08_at_most_1024_biases()
    {
        Biases(1024).Validate(5000);
        Assert.Contains("1025 entries; at most 1024", Assert.Throws<InvalidRequestException>(() => Biases(1025).Validate(5000)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidRequestException>(() => Biases(1_000_000).Validate(2_000_000));
        new SamplingOptions { LogitBias = new Dictionary<int, float> { [0] = -10_000, [1] = 10_000, [99] = float.NegativeInfinity } }.Validate(100);

        static SamplingOptions Biases(int count) => new() { LogitBias = Enumerable.Range(0, count).ToDictionary(t => t, _ => 1f) };
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(int.MinValue)]
    public void CR05_a_number_of_output_tokens_below_one_is_refused(int count) =>
        Assert.Equal("MaxOutputTokens", Assert.Throws<InvalidRequestException>(() => RequestLimits.MaxTokens(5, count, 100)).ParamName);

    [Fact]
    public void CR03_CR05_prompt_and_output_fit_the_context_to_the_token()
    {
        Assert.Equal(100, RequestLimits.MaxTokens(5, null, 100));
        Assert.Equal(100, RequestLimits.MaxTokens(99, null, 100));
        Assert.Equal(100, RequestLimits.MaxTokens(5, 95, 100));
        Assert.Equal(6, RequestLimits.MaxTokens(5, 1, 100));
        AssertTooLong(5, 96, 96);
        AssertTooLong(100, null, 1);
        AssertTooLong(101, 1, 1);
        AssertTooLong(5, int.MaxValue, int.MaxValue);

        static void AssertTooLong(int prompt, int? output, int reported)
        {
            var error = Assert.Throws<ContextLengthExceededException>(() => RequestLimits.MaxTokens(prompt, output, 100));
            Assert.Equal((prompt, reported, 100), (error.PromptTokens, error.MaxTokens, error.Limit));
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(100)]
    [InlineData(int.MinValue)]
    [InlineData(int.MaxValue)]
    public void CR13_a_prompt_token_that_does_not_exist_is_refused(int token)
    {
        var error = Assert.Throws<InvalidRequestException>(() => RequestLimits.ValidatePrompt([0, 99, token], 100));
        Assert.Equal("Prompt", error.ParamName);
        Assert.Contains("Prompt token 2 is ", error.Message, StringComparison.Ordinal);
        RequestLimits.ValidatePrompt([0, 99], 100);
    }

    [Fact]
    public void CR20_an_empty_prompt_is_refused() =>
        Assert.Equal("Prompt", Assert.Throws<InvalidRequestException>(() => RequestLimits.ValidatePrompt([], 100)).ParamName);

    [Fact]
    public void CR10_stop_strings_are_at_most_16_of_1_to_256_characters()
    {
        RequestLimits.ValidateStopStrings([]);
        RequestLimits.ValidateStopStrings(Enumerable.Repeat(new string('x', 256), 16).ToArray());
        foreach (var bad in new string[][] { [""], [null!], [new string('x', 257)], [new string('x', 1 << 20)], [.. Enumerable.Repeat("x", 10_000)] })
        {
            Assert.Equal("StopStrings", Assert.Throws<InvalidRequestException>(() => RequestLimits.ValidateStopStrings(bad)).ParamName);
        }
    }

    [Fact]
    public void Stop_tokens_exist_and_are_at_most_256()
    {
        RequestLimits.ValidateStopTokens([], 100);
        RequestLimits.ValidateStopTokens([0, 99], 100);
        foreach (var bad in new int[][] { [-1], [5, 100], [.. Enumerable.Repeat(1, 257)] })
        {
            Assert.Equal("StopTokens", Assert.Throws<InvalidRequestException>(() => RequestLimits.ValidateStopTokens(bad, 100)).ParamName);
        }
    }

    [Fact]
    public void Messages_do_not_depend_on_the_culture()
    {
        var culture = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = new CultureInfo("") { NumberFormat = { NumberDecimalSeparator = "," } };
            var error = Assert.Throws<InvalidRequestException>(() => new SamplingOptions { MinP = 1.5f }.Validate(10));
            Assert.StartsWith("MinP is 1.5; the range is 0 to 1.", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            CultureInfo.CurrentCulture = culture;
        }
    }

    private static SamplingOptions With(string name, float value) => name switch
    {
        "Temperature" => new() { Temperature = value },
        "TopP" => new() { TopP = value },
        "MinP" => new() { MinP = value },
        "FrequencyPenalty" => new() { FrequencyPenalty = value },
        "PresencePenalty" => new() { PresencePenalty = value },
        _ => new() { RepetitionPenalty = value },
    };
}
