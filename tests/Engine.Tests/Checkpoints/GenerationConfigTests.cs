using System.Text;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Checkpoints;

namespace KvPrefetch.Tests.Checkpoints;

/// <summary>Rows MC19 and MC20.</summary>
public sealed class GenerationConfigTests : IDisposable
{
    private readonly TempFolder _temp = new();
    private readonly List<string> _log = [];

    public void Dispose() => _temp.Dispose();

    private GenerationConfig Read(string json)
    {
        _temp.Write("generation_config.json", json);
        return GenerationConfig.Load(new ModelFolder(_temp.Path), 1_000, _log.Add);
    }

    [Fact]
    public void Without_a_file_everything_is_silent()
    {
        var config = GenerationConfig.Load(new ModelFolder(_temp.Path), 1_000);
        Assert.Empty(config.EosTokens);
        Assert.Null(config.DoSample);
        Assert.Null(config.Temperature);
    }

    [Fact]
    public void All_fields_are_read()
    {
        var config = Read("""{"bos_token_id":1,"eos_token_id":[2,7,2],"do_sample":true,"temperature":0.6,"top_k":20,"top_p":0.95,"min_p":0.05,"repetition_penalty":1.05,"transformers_version":"4.51.0","suppress_tokens":[],"num_beams":1}""");
        Assert.Equal([2, 7], config.EosTokens);
        Assert.Equal((true, 0.6, 20, 0.95, 0.05, 1.05), (config.DoSample, config.Temperature, config.TopK, config.TopP, config.MinP, config.RepetitionPenalty));
        Assert.Empty(_log);
    }

    [Theory]
    [InlineData("2", new[] { 2 })]
    [InlineData("[2,3]", new[] { 2, 3 })]
    [InlineData("[]", new int[0])]
    [InlineData("null", new int[0])]
    [InlineData("999", new[] { 999 })]
    public void MC19_stop_tokens(string value, int[] expected) => Assert.Equal(expected, Read($"{{\"eos_token_id\":{value}}}").EosTokens);

    [Theory]
    [InlineData("1000")]
    [InlineData("-1")]
    [InlineData("[2,1000]")]
    [InlineData("[2,-1]")]
    [InlineData("[[2]]")]
    [InlineData("\"2\"")]
    [InlineData("2.0")]
    [InlineData("{}")]
    [InlineData("[2,null]")]
    public void MC19_stop_tokens_that_are_none(string value)
    {
        var error = Assert.Throws<ModelFormatException>(() => Read($"{{\"eos_token_id\":{value}}}"));
        Assert.StartsWith("eos_token_id", error.Tensor, StringComparison.Ordinal);
        Assert.Equal("generation_config.json", error.File);
    }

    [Theory]
    [InlineData("temperature", "NaN")]
    [InlineData("temperature", "-1")]
    [InlineData("temperature", "Infinity")]
    [InlineData("top_p", "5")]
    [InlineData("top_p", "-0.1")]
    [InlineData("min_p", "2")]
    [InlineData("top_k", "-1")]
    [InlineData("top_k", "2.5")]
    [InlineData("repetition_penalty", "0")]
    [InlineData("repetition_penalty", "-1")]
    [InlineData("do_sample", "1")]
    [InlineData("do_sample", "\"true\"")]
    public void MC20_values_out_of_range_are_named(string field, string value) => Assert.Equal(field, Assert.Throws<ModelFormatException>(() => Read($"{{\"{field}\":{value}}}")).Tensor);

    [Fact]
    public void MC20_a_file_that_is_no_json() => Assert.Equal("NotJson", Assert.Throws<ModelFormatException>(() => Read("{")).Code);

    [Fact]
    public void Settings_that_are_not_supported_are_logged_in_one_line()
    {
        Read("""{"num_beams":4,"suppress_tokens":[1],"typical_p":0.9,"guidance_scale":null,"no_repeat_ngram_size":0}""");
        Assert.Contains("num_beams, typical_p, suppress_tokens", Assert.Single(_log), StringComparison.Ordinal);
    }
}
