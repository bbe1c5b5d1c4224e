using System.Text;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Checkpoints;

namespace KvPrefetch.Tests.Checkpoints;

/// <summary>Both layouts of rotary embedding, and row MC14.</summary>
public sealed class RopeParametersTests
{
    private static RopeParameters Read(string json, string? layerType = null, params string[] alsoKnown) =>
        RopeParameters.Read(HfConfig.Parse(Encoding.UTF8.GetBytes(json)), layerType: layerType, alsoKnown: alsoKnown);

    [Theory]
    [InlineData("""{}""", 10_000)]
    [InlineData("""{"rope_theta":500000.0,"rope_scaling":null}""", 500_000)]
    [InlineData("""{"rope_parameters":{"rope_theta":1e6,"rope_type":"default"}}""", 1_000_000)]
    [InlineData("""{"rope_parameters":{"rope_theta":1e6},"rope_theta":5}""", 1_000_000)]
    [InlineData("""{"rope_scaling":{"rope_type":"default"},"rope_theta":7}""", 7)]
    public void Plain(string json, double theta) => Assert.Equal(new RopeParameters { Kind = RopeKind.Default, Theta = theta }, Read(json));

    [Theory]
    [InlineData("""{"rope_theta":10000,"rope_scaling":{"type":"linear","factor":4}}""")]
    [InlineData("""{"rope_scaling":{"rope_type":"linear","factor":4.0}}""")]
    [InlineData("""{"rope_parameters":{"rope_type":"linear","factor":4.0,"rope_theta":10000.0,"original_max_position_embeddings":5}}""")]
    [InlineData("""{"rope_parameters":{"rope_type":"linear","factor":4.0},"rope_scaling":{"rope_type":"linear","factor":4.0}}""")]
    public void Linear_in_old_and_new_files(string json) => Assert.Equal(new RopeParameters { Kind = RopeKind.Linear, Theta = 10_000, Factor = 4 }, Read(json));

    [Fact]
    public void Dynamic_takes_the_length_the_model_is_made_for() =>
        Assert.Equal(new RopeParameters { Kind = RopeKind.Dynamic, Theta = 10_000, Factor = 2, OriginalMaxPositions = 512 }, Read("""{"max_position_embeddings":512,"rope_scaling":{"type":"dynamic","factor":2}}"""));

    [Theory]
    [InlineData("""{"max_position_embeddings":131072,"rope_theta":500000,"rope_scaling":{"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192,"rope_type":"llama3"}}""")]
    [InlineData("""{"max_position_embeddings":131072,"rope_parameters":{"rope_theta":500000,"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192,"rope_type":"llama3"}}""")]
    [InlineData("""{"max_position_embeddings":8192,"rope_theta":500000,"rope_scaling":{"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"rope_type":"llama3"}}""")]
    [InlineData("""{"original_max_position_embeddings":8192,"rope_theta":500000,"rope_scaling":{"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":1,"rope_type":"llama3"}}""")]
    public void Llama3(string json) => Assert.Equal(
        new RopeParameters { Kind = RopeKind.Llama3, Theta = 500_000, Factor = 8, LowFrequencyFactor = 1, HighFrequencyFactor = 4, OriginalMaxPositions = 8_192 }, Read(json));

    [Fact]
    public void Yarn_has_the_defaults_of_the_reference() => Assert.Equal(
        new RopeParameters { Kind = RopeKind.Yarn, Theta = 1_000_000, Factor = 4, OriginalMaxPositions = 32_768, BetaFast = 32, BetaSlow = 1, Truncate = true, AttentionFactor = (0.1 * Math.Log(4)) + 1 },
        Read("""{"rope_theta":1e6,"max_position_embeddings":32768,"rope_scaling":{"factor":4.0,"original_max_position_embeddings":32768,"type":"yarn"}}"""));

    [Fact]
    public void Yarn_resolves_the_attention_factor()
    {
        static double Factor(string more) => Read("""{"rope_scaling":{"type":"yarn","factor":40,"original_max_position_embeddings":4096""" + more + "}}").AttentionFactor;
        static double Scale(double mscale) => (0.1 * mscale * Math.Log(40)) + 1;
        Assert.Equal(Scale(1), Factor(""));
        Assert.Equal(1.5, Factor(""","attention_factor":1.5,"mscale":2,"mscale_all_dim":3"""));
        Assert.Equal(Scale(0.707) / Scale(0.5), Factor(""","mscale":0.707,"mscale_all_dim":0.5"""));
        Assert.Equal(1, Factor(""","mscale":1.0,"mscale_all_dim":1.0"""));
        Assert.Equal(Scale(1), Factor(""","mscale":0.707"""));
        Assert.Equal(Scale(1), Factor(""","mscale":0.707,"mscale_all_dim":0"""));
        Assert.Equal(1, Read("""{"rope_scaling":{"type":"yarn","factor":1,"original_max_position_embeddings":4096}}""").AttentionFactor);
    }

    [Fact]
    public void Yarn_of_gpt_oss_and_deepseek()
    {
        var yarn = Read("""{"rope_scaling":{"beta_fast":32.0,"beta_slow":1.0,"factor":32.0,"original_max_position_embeddings":4096,"rope_type":"yarn","truncate":false}}""");
        Assert.Equal((false, null, null), (yarn.Truncate, yarn.MScale, yarn.MScaleAllDim));
        yarn = Read("""{"rope_scaling":{"beta_fast":32,"beta_slow":1,"factor":40,"mscale":1.0,"mscale_all_dim":1.0,"original_max_position_embeddings":4096,"type":"yarn"}}""");
        Assert.Equal((true, 1, 1), (yarn.Truncate, yarn.MScale, yarn.MScaleAllDim));
    }

    [Fact]
    public void Longrope_of_phi3()
    {
        var rope = Read("""{"max_position_embeddings":131072,"original_max_position_embeddings":4096,"rope_scaling":{"type":"longrope","short_factor":[1.0,1.1],"long_factor":[2.0,3.0]}}""");
        Assert.Equal((RopeKind.LongRope, 4096, 32), (rope.Kind, rope.OriginalMaxPositions, rope.Factor));
        Assert.Equal([1, 1.1], rope.ShortFactors);
        Assert.Equal([2, 3], rope.LongFactors);
        Assert.Equal(Math.Sqrt(1 + (Math.Log(32) / Math.Log(4096))), rope.AttentionFactor, 1e-12);
    }

    [Theory]
    [InlineData("""{"partial_rotary_factor":0.5}""", 0.5)]
    [InlineData("""{"partial_rotary_factor":0.5,"rope_parameters":{"rope_type":"default","partial_rotary_factor":0.25}}""", 0.25)]
    [InlineData("""{"partial_rotary_factor":null}""", 1)]
    public void The_rotated_share(string json, double share) => Assert.Equal(share, Read(json).PartialRotaryFactor);

    [Fact]
    public void Families_have_their_own_defaults()
    {
        var rope = RopeParameters.Read(HfConfig.Parse("{}"u8), defaultTheta: 5_000, defaultPartialRotaryFactor: 0.5);
        Assert.Equal((5_000, 0.5), (rope.Theta, rope.PartialRotaryFactor));
    }

    [Fact]
    public void Parameters_by_layer_type()
    {
        const string json = """{"rope_parameters":{"full_attention":{"rope_type":"linear","factor":8.0,"rope_theta":1000000.0},"sliding_attention":{"rope_theta":10000.0,"rope_type":"default"}}}""";
        Assert.Equal(new RopeParameters { Kind = RopeKind.Linear, Factor = 8, Theta = 1_000_000 }, Read(json, "full_attention"));
        Assert.Equal(new RopeParameters { Kind = RopeKind.Default, Theta = 10_000 }, Read(json, "sliding_attention"));
        Assert.Equal("rope_parameters.other", Assert.Throws<ModelFormatException>(() => Read(json, "other")).Tensor);
        Assert.Equal("rope_parameters", Assert.Throws<UnsupportedModelException>(() => Read(json)).Field);
        Assert.Equal(4, Read("""{"rope_parameters":{"rope_type":"linear","factor":4}}""", "full_attention").Factor);
    }

    [Theory]
    [InlineData("""{"rope_theta":0}""", "rope_theta")]
    [InlineData("""{"rope_theta":-1}""", "rope_theta")]
    [InlineData("""{"rope_theta":NaN}""", "rope_theta")]
    [InlineData("""{"rope_theta":Infinity}""", "rope_theta")]
    [InlineData("""{"rope_theta":"10000"}""", "rope_theta")]
    [InlineData("""{"rope_parameters":{"rope_theta":0}}""", "rope_parameters.rope_theta")]
    [InlineData("""{"rope_parameters":[]}""", "rope_parameters")]
    [InlineData("""{"rope_scaling":"linear"}""", "rope_scaling")]
    [InlineData("""{"rope_scaling":{"type":7}}""", "rope_scaling.type")]
    [InlineData("""{"rope_scaling":{"type":"linear"}}""", "rope_scaling.factor")]
    [InlineData("""{"rope_scaling":{"type":"linear","factor":0}}""", "rope_scaling.factor")]
    [InlineData("""{"rope_scaling":{"type":"linear","factor":0.5}}""", "rope_scaling.factor")]
    [InlineData("""{"rope_scaling":{"type":"linear","factor":[4]}}""", "rope_scaling.factor")]
    [InlineData("""{"rope_scaling":{"type":"dynamic","factor":2}}""", "max_position_embeddings")]
    [InlineData("""{"rope_scaling":{"type":"llama3","factor":8,"low_freq_factor":1,"original_max_position_embeddings":8192}}""", "rope_scaling.high_freq_factor")]
    [InlineData("""{"rope_scaling":{"type":"llama3","factor":8,"high_freq_factor":4,"original_max_position_embeddings":8192}}""", "rope_scaling.low_freq_factor")]
    [InlineData("""{"rope_scaling":{"type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4,"original_max_position_embeddings":8192}}""", "rope_scaling.high_freq_factor")]
    [InlineData("""{"rope_scaling":{"type":"llama3","factor":8,"low_freq_factor":0,"high_freq_factor":4,"original_max_position_embeddings":8192}}""", "rope_scaling.low_freq_factor")]
    [InlineData("""{"rope_scaling":{"type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4}}""", "max_position_embeddings")]
    [InlineData("""{"rope_scaling":{"type":"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":0}}""", "rope_scaling.original_max_position_embeddings")]
    [InlineData("""{"rope_scaling":{"type":"yarn","original_max_position_embeddings":8192}}""", "rope_scaling.factor")]
    [InlineData("""{"rope_scaling":{"type":"yarn","factor":4,"original_max_position_embeddings":8192,"beta_fast":0}}""", "rope_scaling.beta_fast")]
    [InlineData("""{"rope_scaling":{"type":"yarn","factor":4,"original_max_position_embeddings":8192,"beta_fast":1,"beta_slow":2}}""", "rope_scaling.beta_fast")]
    [InlineData("""{"rope_scaling":{"type":"yarn","factor":4,"original_max_position_embeddings":8192,"attention_factor":0}}""", "rope_scaling.attention_factor")]
    [InlineData("""{"rope_scaling":{"type":"yarn","factor":4,"original_max_position_embeddings":8192,"truncate":1}}""", "rope_scaling.truncate")]
    [InlineData("""{"rope_scaling":{"type":"yarn","factor":4,"original_max_position_embeddings":8192},"rope_theta":1}""", "rope_theta")]
    [InlineData("""{"partial_rotary_factor":0}""", "partial_rotary_factor")]
    [InlineData("""{"partial_rotary_factor":1.5}""", "partial_rotary_factor")]
    [InlineData("""{"rope_scaling":{"type":"linear","factor":4},"rope_parameters":{"type":"linear","factor":2}}""", "rope_scaling")]
    [InlineData("""{"rope_scaling":{"type":"longrope","long_factor":[1.0],"original_max_position_embeddings":8},"max_position_embeddings":16}""", "rope_scaling.short_factor")]
    [InlineData("""{"rope_scaling":{"type":"longrope","short_factor":[1.0],"long_factor":[0],"original_max_position_embeddings":8},"max_position_embeddings":16}""", "rope_scaling.long_factor[0]")]
    [InlineData("""{"rope_scaling":{"type":"longrope","short_factor":[1.0],"long_factor":[1.0]}}""", "max_position_embeddings")]
    public void MC14_values_that_are_missing_or_out_of_range_are_named(string json, string field) => Assert.Equal(field, Assert.Throws<ModelFormatException>(() => Read(json)).Tensor);

    [Theory]
    [InlineData("""{"rope_scaling":{"type":"ntk","factor":4}}""", "rope_scaling.type", "'ntk'")]
    [InlineData("""{"rope_parameters":{"rope_type":"spiral","type":"default"}}""", "rope_parameters.rope_type", "'spiral'")]
    [InlineData("""{"rope_parameters":{"rope_type":"Default"}}""", "rope_parameters.rope_type", "default, linear, dynamic, llama3, yarn")]
    [InlineData("""{"rope_parameters":{"rope_type":"default","mrope_section":[1,2]}}""", "rope_parameters.mrope_section", "mrope_section")]
    [InlineData("""{"rope_scaling":{"rope_type":"linear","factor":2,"alpha":1000}}""", "rope_scaling.alpha", "alpha")]
    public void MC14_unknown_kinds_and_keys_are_named(string json, string field, string shown)
    {
        var error = Assert.Throws<UnsupportedModelException>(() => Read(json));
        Assert.Equal(field, error.Field);
        Assert.Contains(shown, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_family_may_know_further_keys() =>
        Assert.Equal(RopeKind.Linear, Read("""{"rope_scaling":{"rope_type":"linear","factor":2,"llama_4_scaling_beta":0.1}}""", null, "llama_4_scaling_beta").Kind);
}
