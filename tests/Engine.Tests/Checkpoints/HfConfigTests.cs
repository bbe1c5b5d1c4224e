using System.Text;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Tests.Checkpoints;

/// <summary>Rows MC10 to MC18: what every family relies on when it reads its configuration.</summary>
public sealed class HfConfigTests : IDisposable
{
    private readonly TempFolder _temp = new();

    public void Dispose() => _temp.Dispose();

    private static HfConfig Parse(string json) => HfConfig.Parse(Encoding.UTF8.GetBytes(json));
    private static HfConfig With(string field, string value) => Parse($"{{\"model_type\":\"llama\",\"{field}\":{value}}}");

    private static ModelFormatException Refused(string code, Action action)
    {
        var error = Assert.Throws<ModelFormatException>(action);
        Assert.Equal(code, error.Code);
        Assert.True(error.Message.Length < 400, error.Message);
        return error;
    }

    [Fact]
    public void Fields_are_read_by_type()
    {
        var config = Parse("""{"model_type":"llama","i":32,"d":1e-5,"whole":100000,"b":true,"s":"silu","n":null,"is":[1,2],"ss":["a","b"],"ds":[1,2.5],"o":{"p":{"q":7}},"inf":Infinity,"ninf":{"__float__":"-Infinity"},"text":"NaN"}""");
        Assert.Equal("llama", config.ModelType);
        Assert.Equal((32, 5, 5), (config.GetInt32("i", 1, 100), config.GetInt32("n", 1, 100, 5), config.GetInt32("absent", 1, 100, 5)));
        Assert.Equal((1e-5, 100_000d, 2d), (config.GetDouble("d", 0, 1), config.GetDouble("whole", 0, 1e6), config.GetDouble("n", 0, 1, 2)));
        Assert.True(config.GetBoolean("b") && config.GetBoolean("n", true) && config.FindBoolean("n") is null);
        Assert.Equal(("silu", "x", null), (config.GetString("s"), config.GetString("n", "x"), config.FindString("n")));
        Assert.Equal([1, 2], config.FindInt32Array("is", 0, 10)!);
        Assert.Equal([1, 2.5], config.FindDoubleArray("ds", 0, 10)!);
        Assert.Equal(["a", "b"], config.FindStringArray("ss")!);
        Assert.Null(config.FindInt32Array("n", 0, 10));
        Assert.Equal(7, config.GetSection("o").GetSection("p").GetInt32("q", 0, 10));
        Assert.Null(config.Section("n"));
        Assert.Equal(double.PositiveInfinity, config.GetDouble("inf", 0, double.PositiveInfinity));
        Assert.Equal(double.NegativeInfinity, config.GetDouble("ninf", double.NegativeInfinity, 0));
        Assert.Equal("NaN", config.GetString("text"));
        Assert.Equal("silu", config.GetChoice("s", ["gelu", "silu"]));
    }

    [Fact]
    public void MC10_missing_file() => Refused("FileMissing", () => HfConfig.Load(new ModelFolder(_temp.Path)));

    [Theory]
    [InlineData("", "NotJson")]
    [InlineData("{", "NotJson")]
    [InlineData("{}x", "NotJson")]
    [InlineData("{\"a\":1,}", "NotJson")]
    [InlineData("{/**/}", "NotJson")]
    [InlineData("{\"a\":01}", "NotJson")]
    [InlineData("{\"a\":\"\\ud800\"}", "NotJson")]
    [InlineData("{\"\\udfff\":1}", "NotJson")]
    [InlineData("NaN", "MissingField")]
    [InlineData("{\"a\":NaNa}", "NotJson")]
    [InlineData("[]", "NotObject")]
    [InlineData("null", "NotObject")]
    [InlineData("{\"a\":1,\"a\":1}", "DuplicateField")]
    [InlineData("{\"x\":[{\"a\":1,\"\\u0061\":2}]}", "DuplicateField")]
    public void MC10_a_file_that_is_no_configuration(string json, string code)
    {
        _temp.Write("config.json", json);
        Refused(code, () => _ = HfConfig.Load(new ModelFolder(_temp.Path)).ModelType);
    }

    [Fact]
    public void MC10_bytes_that_are_no_text() => Refused("NotUtf8", () => HfConfig.Parse([(byte)'{', 0xFF, (byte)'}']));

    [Theory]
    [InlineData("[", "]")]
    [InlineData("{\"a\":", "}")]
    public void MC10_depth_of_ten_thousand(string open, string close) =>
        Refused("NotJson", () => Parse(string.Concat(Enumerable.Repeat(open, 10_000)) + "1" + string.Concat(Enumerable.Repeat(close, 10_000))));

    [Fact]
    public void MC10_a_hundred_megabytes_are_not_read()
    {
        using (var stream = File.Create(_temp.File("config.json")))
        {
            stream.SetLength(100 << 20);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = Refused("FileTooLarge", () => HfConfig.Load(new ModelFolder(_temp.Path)));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        Assert.Contains("4194304", error.Message, StringComparison.Ordinal);
        Assert.Contains("104857600", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0", "OutOfRange")]
    [InlineData("-1", "OutOfRange")]
    [InlineData("2147483648", "OutOfRange")]
    [InlineData("1000000000", "OutOfRange")]
    [InlineData("9223372036854775808", "InvalidField")]
    [InlineData("\"32\"", "InvalidField")]
    [InlineData("32.5", "InvalidField")]
    [InlineData("32.0", "InvalidField")]
    [InlineData("1e2", "InvalidField")]
    [InlineData("true", "InvalidField")]
    [InlineData("[32]", "InvalidField")]
    [InlineData("NaN", "InvalidField")]
    [InlineData("null", "MissingField")]
    public void MC11_integers_are_strict_and_errors_name_field_range_and_value(string value, string code)
    {
        var error = Refused(code, () => With("hidden_size", value).GetInt32("hidden_size", 1, 1_000_000));
        Assert.Equal(("config.json", "hidden_size"), (error.File, error.Tensor));
        if (code is not "MissingField")
        {
            Assert.Contains("1 to 1000000", error.Message, StringComparison.Ordinal);
            Assert.Contains(value is "NaN" ? "NaN" : value.Trim('"'), error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("0", "OutOfRange")]
    [InlineData("-1e-5", "OutOfRange")]
    [InlineData("1e999", "OutOfRange")]
    [InlineData("Infinity", "OutOfRange")]
    [InlineData("-Infinity", "OutOfRange")]
    [InlineData("NaN", "OutOfRange")]
    [InlineData("{\"__float__\":\"NaN\"}", "OutOfRange")]
    [InlineData("{\"__float__\":\"x\"}", "InvalidField")]
    [InlineData("{}", "InvalidField")]
    [InlineData("\"1\"", "InvalidField")]
    [InlineData("true", "InvalidField")]
    [InlineData("null", "MissingField")]
    public void MC14_numbers_such_as_rms_norm_eps_are_strict(string value, string code) => Refused(code, () => With("rms_norm_eps", value).GetDouble("rms_norm_eps", 1e-12, 1));

    [Fact]
    public void MC11_the_full_path_of_a_nested_field_is_named()
    {
        var config = Parse("""{"text_config":{"vision":{"size":0},"list":[1,"x"],"wide":[1,2,3]},"s":5}""");
        var text = config.GetSection("text_config");
        Assert.Equal("text_config.vision.size", Refused("OutOfRange", () => text.GetSection("vision").GetInt32("size", 1, 2)).Tensor);
        Assert.Equal("text_config.list[1]", Refused("InvalidField", () => text.FindInt32Array("list", 0, 5)).Tensor);
        Refused("InvalidField", () => text.FindStringArray("list"));
        Refused("OutOfRange", () => text.FindInt32Array("wide", 0, 5, maxLength: 2));
        Assert.Equal("text_config.gone", Refused("MissingField", () => text.GetSection("gone")).Tensor);
        Refused("InvalidField", () => config.Section("s"));
        Refused("InvalidField", () => config.GetString("s"));
        Refused("InvalidField", () => config.GetBoolean("s"));
        Refused("InvalidField", () => config.FindInt32Array("s", 0, 9));
    }

    [Fact]
    public void MC12_MC13_rules_between_fields_are_told_with_field_and_value()
    {
        // What a family writes: hidden_size % heads, an even head_dim, a cap on layers.
        var config = Parse("""{"hidden_size":65,"num_hidden_layers":1000000}""");
        var error = config.Invalid("hidden_size", "must be divisible by num_attention_heads (4)");
        Assert.Equal(("InvalidField", "hidden_size"), (error.Code, error.Tensor));
        Assert.Contains("'65'", error.Message, StringComparison.Ordinal);
        Refused("OutOfRange", () => config.GetInt32("num_hidden_layers", 1, 10_000));
    }

    [Fact]
    public void MC15_a_length_that_only_bounds_is_clamped_and_logged()
    {
        var log = new List<string>();
        Assert.Equal(1 << 20, With("max_position_embeddings", "2147483648").GetInt32Clamped("max_position_embeddings", 1, 1 << 20, log.Add));
        Assert.Contains("2147483648", Assert.Single(log), StringComparison.Ordinal);
        Assert.Equal(2_048, With("max_position_embeddings", "2048").GetInt32Clamped("max_position_embeddings", 1, 1 << 20, log.Add));
        Refused("OutOfRange", () => With("max_position_embeddings", "0").GetInt32Clamped("max_position_embeddings", 1, 1 << 20, log.Add));
        Refused("InvalidField", () => With("max_position_embeddings", "1e30").GetInt32Clamped("max_position_embeddings", 1, 1 << 20, log.Add));
        Assert.Single(log);
    }

    [Fact]
    public void MC17_code_in_the_folder_is_ignored_and_logged_once()
    {
        _temp.Write("config.json", """{"model_type":"llama","auto_map":{"AutoModel":"modeling_x.X"},"trust_remote_code":true}""");
        _temp.Write("modeling_x.py", "raise SystemExit");
        var log = new List<string>();
        Assert.Equal("llama", HfConfig.Load(new ModelFolder(_temp.Path), log.Add).ModelType);
        Assert.Contains("'auto_map', 'trust_remote_code', 'modeling_x.py'", Assert.Single(log), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"relu_squared\"", "'relu_squared'")]
    [InlineData("\"SILU\"", "'SILU'")]
    public void MC18_an_unknown_choice_lists_what_is_supported(string value, string shown)
    {
        var error = Assert.Throws<UnsupportedModelException>(() => With("hidden_act", value).GetChoice("hidden_act", ["silu", "gelu"]));
        Assert.Equal("hidden_act", error.Field);
        Assert.Contains(shown, error.Message, StringComparison.Ordinal);
        Assert.Contains("silu, gelu", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MC18_quantisation_is_there_to_be_refused()
    {
        Assert.Equal("gptq", With("quantization_config", """{"quant_method":"gptq"}""").Quantization!.GetString("quant_method"));
        Assert.Null(With("quantization_config", "null").Quantization);
    }

    [Theory]
    [InlineData("dtype", "\"bfloat16\"", DType.BF16)]
    [InlineData("torch_dtype", "\"float16\"", DType.F16)]
    [InlineData("torch_dtype", "\"torch.float32\"", DType.F32)]
    [InlineData("dtype", "null", null)]
    [InlineData("torch_dtype", "\"auto\"", null)]
    public void The_declared_type_is_read_from_both_names(string field, string value, DType? expected) => Assert.Equal(expected, With(field, value).DeclaredType);

    [Fact]
    public void An_unknown_declared_type_is_named() => Assert.Throws<UnsupportedModelException>(() => With("dtype", "\"int3\"").DeclaredType);

    [Fact]
    public void Fields_that_nobody_read_are_known()
    {
        var config = Parse("""{"model_type":"llama","a":1,"b":null,"s":{"x":1,"y":2},"t":{"z":1}}""");
        _ = config.ModelType;
        config.GetSection("s").GetInt32("x", 0, 1);
        Assert.Equal(["a", "t", "s.y"], config.Unread);
    }

    [Fact]
    public void Text_of_others_is_shortened_and_made_harmless_in_messages()
    {
        var error = Refused("InvalidField", () => With("hidden_size", "\"" + new string('x', 1_000_000) + "\"").GetInt32("hidden_size", 1, 2));
        Assert.DoesNotContain(new string('x', 81), error.Message, StringComparison.Ordinal);
        Assert.Equal("'a\\u{1b}[31m\\u{202e}\\u{d800}é😀'", Excerpt.Of("a\u001b[31m\u202e\ud800é😀"));
        Assert.InRange(Excerpt.Of(new string('é', 500)).Length, 60, Excerpt.MaxLength);
    }
}
