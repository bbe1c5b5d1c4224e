using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Checkpoints;

namespace KvPrefetch.Tests.Checkpoints;

/// <summary>quantization_config: what is honoured, and by which name the rest is refused.</summary>
public sealed class QuantisationTests(ITestOutputHelper output)
{
    private const string Fp8 = """{"quant_method":"fp8","fmt":"e4m3","weight_block_size":[128,128],"activation_scheme":"dynamic","modules_to_not_convert":["lm_head"]}""";
    private const string Mxfp4 = """{"quant_method":"mxfp4","modules_to_not_convert":["model.layers.*.self_attn","lm_head"]}""";
    private const string Gptq = """{"quant_method":"gptq","bits":4,"group_size":128,"desc_act":true,"sym":true,"checkpoint_format":"gptq","damp_percent":0.1,"meta":{"quantizer":["gptqmodel:1"]},"lm_head":false,"dynamic":null}""";
    private const string Awq = """{"quant_method":"awq","bits":4,"group_size":128,"zero_point":true,"version":"gemm","modules_to_not_convert":null}""";

    private const string Compressed = """
        {"quant_method":"compressed-tensors","format":"pack-quantized","quantization_status":"compressed","global_compression_ratio":1.5,"ignore":["lm_head"],"kv_cache_scheme":null,"sparsity_config":{},
         "transform_config":{},"version":"0.9","config_groups":{"group_0":{"targets":["Linear"],"input_activations":null,"output_activations":null,"format":"pack-quantized",
         "weights":{"num_bits":4,"type":"int","symmetric":true,"strategy":"group","group_size":128,"dynamic":false,"actorder":null,"observer":"mse","observer_kwargs":{"a":1},"block_structure":null}}}}
        """;

    public static TheoryData<string, string, string, string> Refused => new()
    {
        { "fp8", "quant_method", "\"bitsandbytes\"", "quantization_config.quant_method" },
        { "fp8", "fmt", "\"e5m2\"", "quantization_config.fmt" },
        { "fp8", "activation_scheme", "\"sometimes\"", "quantization_config.activation_scheme" },
        { "fp8", "bogus", "1", "quantization_config.bogus" },
        { "mxfp4", "bits", "3", "quantization_config.bits" },
        { "gptq", "bits", "8", "quantization_config.bits" },
        { "gptq", "bits", "3", "quantization_config.bits" },
        { "gptq", "checkpoint_format", "\"marlin\"", "quantization_config.checkpoint_format" },
        { "gptq", "format", "\"bitblas\"", "quantization_config.format" },
        { "gptq", "is_marlin_format", "true", "quantization_config.is_marlin_format" },
        { "gptq", "dynamic", "{\"+:.*\": {\"bits\": 8}}", "quantization_config.dynamic" },
        { "gptq", "pack_dtype", "\"int16\"", "quantization_config.pack_dtype" },
        { "awq", "bits", "8", "quantization_config.bits" },
        { "awq", "version", "\"gemv\"", "quantization_config.version" },
        { "awq", "backend", "\"llm-awq\"", "quantization_config.backend" },
        { "awq", "zero_point", "false", "quantization_config.zero_point" },
        { "awq", "modules_to_not_convert", "[\"(\"]", "quantization_config.modules_to_not_convert" },
        { "compressed", "quantization_status", "\"frozen\"", "quantization_config.quantization_status" },
        { "compressed", "kv_cache_scheme", "{\"num_bits\": 8}", "quantization_config.kv_cache_scheme" },
        { "compressed", "sparsity_config", "{\"format\": \"sparse-24-bitmask\", \"sparsity_structure\": \"2:4\"}", "quantization_config.sparsity_config.format" },
        { "compressed", "transform_config", "{\"config_groups\": {\"u\": {}}}", "quantization_config.transform_config" },
        { "compressed", "format", "\"marlin-24\"", "quantization_config.format" },
        { "compressed", "ignore", "[\"re:(\"]", "quantization_config.ignore" },
        { "group", "output_activations", "{\"num_bits\": 8}", "quantization_config.config_groups.group_0.output_activations" },
        { "group", "format", "\"nvfp4-pack-quantized\"", "quantization_config.config_groups.group_0.format" },
        { "group", "input_activations", "{\"num_bits\": 4}", "quantization_config.config_groups.group_0.input_activations.num_bits" },
        { "weights", "num_bits", "8", "quantization_config.config_groups.group_0.weights.num_bits" },
        { "weights", "num_bits", "3", "quantization_config.config_groups.group_0.weights.num_bits" },
        { "weights", "type", "\"float\"", "quantization_config.config_groups.group_0.weights.num_bits" },
        { "weights", "strategy", "\"tensor_group\"", "quantization_config.config_groups.group_0.weights.strategy" },
        { "weights", "strategy", "\"token\"", "quantization_config.config_groups.group_0.weights.strategy" },
        { "weights", "dynamic", "true", "quantization_config.config_groups.group_0.weights.dynamic" },
        { "weights", "actorder", "\"upwards\"", "quantization_config.config_groups.group_0.weights.actorder" },
        { "weights", "rotation", "\"hadamard\"", "quantization_config.config_groups.group_0.weights.rotation" },
    };

    public static TheoryData<string, string, string, string> Impossible => new()
    {
        { "fp8", "quant_method", "null", "quantization_config.quant_method" },
        { "fp8", "weight_block_size", "[128]", "quantization_config.weight_block_size" },
        { "fp8", "weight_block_size", "[0, 128]", "quantization_config.weight_block_size[0]" },
        { "fp8", "modules_to_not_convert", "[1]", "quantization_config.modules_to_not_convert[0]" },
        { "gptq", "group_size", "0", "quantization_config.group_size" },
        { "gptq", "group_size", "-2", "quantization_config.group_size" },
        { "gptq", "group_size", "null", "quantization_config.group_size" },
        { "gptq", "desc_act", "\"yes\"", "quantization_config.desc_act" },
        { "gptq", "bits", "4.5", "quantization_config.bits" },
        { "awq", "group_size", "2147483648", "quantization_config.group_size" },
        { "compressed", "config_groups", "{}", "quantization_config.config_groups" },
        { "compressed", "config_groups", "null", "quantization_config.config_groups" },
        { "group", "weights", "null", "quantization_config.config_groups.group_0.weights" },
        { "weights", "group_size", "0", "quantization_config.config_groups.group_0.weights.group_size" },
        { "weights", "symmetric", "1", "quantization_config.config_groups.group_0.weights.symmetric" },
    };

    [Theory, MemberData(nameof(Refused))]
    public void MC18_WhatIsNotHonouredIsRefusedByName(string where, string field, string value, string named)
    {
        var error = Assert.Throws<UnsupportedModelException>(() => Read(where, field, value));
        output.WriteLine(error.Message);
        Assert.Equal(named, error.Field);
    }

    [Theory, MemberData(nameof(Impossible))]
    public void MC18_ValuesThatCannotBeAreNamed(string where, string field, string value, string named) =>
        Assert.Equal(named, Assert.Throws<ModelFormatException>(() => Read(where, field, value)).Tensor);

    [Fact]
    public void MC18_AnUnknownMethodIsAnsweredWithTheKnownOnes() =>
        Assert.Contains("fp8, mxfp4, compressed-tensors, gptq, awq", Assert.Throws<UnsupportedModelException>(() => Read("fp8", "quant_method", "\"magic\"")).Message, StringComparison.Ordinal);

    [Fact]
    public void SchemesAreReadAsWritten()
    {
        Assert.Equal(new QuantisationScheme(QuantisedStorage.Fp8) { BlockRows = 128, GroupSize = 128, ScaleName = "weight_scale_inv" }, Parse(Fp8).SchemeOf("model.layers.0.mlp.up_proj"));
        Assert.Equal(new QuantisationScheme(QuantisedStorage.Gptq) { GroupSize = 128, Permuted = true, ZeroPoints = true, ZeroOffset = 1 }, Parse(Gptq).SchemeOf("a"));
        Assert.Equal(0, Read("gptq", "checkpoint_format", "\"gptq_v2\"").SchemeOf("a")!.ZeroOffset);
        Assert.Equal(0, Read("gptq", "group_size", "-1").SchemeOf("a")!.GroupSize);
        Assert.Equal(new QuantisationScheme(QuantisedStorage.Awq) { GroupSize = 128, ZeroPoints = true }, Parse(Awq).SchemeOf("a"));
        Assert.Equal(new QuantisationScheme(QuantisedStorage.PackedInt4) { GroupSize = 128 }, Parse(Compressed).SchemeOf("a"));
        Assert.Equal(128, Read("fp8", "weight_block_size", null).SchemeOf("a")!.GroupSize);    // the format's default
        Assert.Equal(0, Read("fp8", "weight_block_size", "null").SchemeOf("a")!.GroupSize);
        Assert.Equal("weight_scale_inv", Parse(Fp8).SchemeOf("a")!.ScaleName);
        Assert.Null(Quantisation.Read(HfConfig.Parse("{}"u8)));
    }

    [Theory]
    [InlineData("fp8", "[\"lm_head\"]", "lm_head", true)]
    [InlineData("fp8", "[\"lm_head\"]", "model.lm_head_2", false)]
    [InlineData("fp8", "[\"model.layers.1\"]", "model.layers.1.mlp.up_proj", true)]
    [InlineData("fp8", "[\"model.layers.1\"]", "model.layers.10.mlp.up_proj", false)]
    [InlineData("fp8", "[\"mlp.gate\"]", "model.layers.1.mlp.gate", true)]
    [InlineData("fp8", "[\"mlp.gate\"]", "model.layers.1.mlp.gate_proj", false)]
    [InlineData("fp8", "[\"visual\"]", "model.visual.blocks.0.qkv", true)]
    [InlineData("mxfp4", "[\"model.layers.*.self_attn\"]", "model.layers.12.self_attn.q_proj", true)]
    [InlineData("mxfp4", "[\"model.layers.*.self_attn\"]", "model.layers.12.mlp.experts.down_proj", false)]
    [InlineData("fp8", "[\"re:.*gate\"]", "model.layers.1.mlp.gate", true)]
    [InlineData("fp8", "[\"(?!x)mlp\"]", "model.mlp", true)]
    [InlineData("compressed", "[\"lm_head\"]", "lm_head", true)]
    [InlineData("compressed", "[\"lm_head\"]", "model.lm_head", false)]
    [InlineData("compressed", "[\"re:.*lm_head\"]", "model.lm_head", true)]
    [InlineData("compressed", "[\"re:layers\"]", "model.layers.0", false)]
    [InlineData("compressed", "[\"re:^model.layers.0.(?!mlp)\"]", "model.layers.0.self_attn", true)]
    public void ListsOfPlainModulesMeanWholePartsOfNames(string method, string list, string module, bool plain) =>
        Assert.Equal(plain, Read(method, method == "compressed" ? "ignore" : "modules_to_not_convert", list).SchemeOf(module) is null);

    [Fact]
    public void TargetsChooseTheirModules()
    {
        var config = Object(Compressed);
        var groups = config["config_groups"]!.AsObject();
        var second = groups["group_0"]!.DeepClone().AsObject();
        (groups["group_0"]!["targets"], second["targets"]) = (new JsonArray("re:.*self_attn.*"), new JsonArray("model.layers.0.mlp.up_proj"));
        second["weights"]!["group_size"] = 64;
        groups["group_1"] = second;
        var quantisation = Parse(config.ToJsonString());
        Assert.Equal(128, quantisation.SchemeOf("model.layers.0.self_attn.q_proj")!.GroupSize);
        Assert.Equal(64, quantisation.SchemeOf("model.layers.0.mlp.up_proj")!.GroupSize);
        Assert.Null(quantisation.SchemeOf("model.layers.0.mlp.down_proj"));
    }

    /// <summary>A pattern that backtracks without end is refused or answered, in bounded time.</summary>
    [Theory]
    [InlineData("re:(a+)+$")]
    [InlineData("re:(?=(a+)+$)b")]
    [InlineData("re:((a{1,9000}){1,9000})$")]
    [InlineData("re:(?=((a{1,9000}){1,9000})$)b")]
    public void AHostilePatternEndsSoon(string pattern)
    {
        var watch = Stopwatch.StartNew();
        try
        {
            var quantisation = Read("compressed", "ignore", new JsonArray(pattern).ToJsonString());
            for (var i = 0; i < 50; i++)
            {
                _ = quantisation.SchemeOf(new string('a', 60) + "!");
            }
        }
        catch (UnsupportedModelException e)
        {
            Assert.Equal("quantization_config.ignore", e.Field);
        }

        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), watch.Elapsed.ToString());
    }

    /// <summary>Each field of each method made something else: a typed error or an answer.</summary>
    [Fact]
    public void NoChangeOfAFieldGivesAnythingButATypedError()
    {
        string?[] values = [null, "0", "-1", "1", "4", "7.5", "2147483648", "1e300", "null", "true", "false", "\"x\"", "[]", "[1]", "[[]]", "[\"a\"]", "{}", "{\"a\": {}}"];
        var tried = 0;
        foreach (var where in (string[])["fp8", "mxfp4", "gptq", "awq", "compressed", "group", "weights"])
        {
            foreach (var field in Section(Object(Text(where)), where).Select(p => p.Key).ToList())
            {
                foreach (var value in values)
                {
                    tried++;
                    try
                    {
                        _ = Read(where, field, value).SchemeOf("model.layers.0.mlp.up_proj");
                    }
                    catch (KvPrefetchException)
                    {
                        // what a bad value must give
                    }
                    catch (Exception e)
                    {
                        Assert.Fail($"{where}: {field} = {value ?? "(removed)"}: {e}");
                    }
                }
            }
        }

        Assert.True(tried > 500);
    }

    private static string Text(string where) => where switch { "fp8" => Fp8, "mxfp4" => Mxfp4, "gptq" => Gptq, "awq" => Awq, _ => Compressed };

    private static JsonObject Object(string json) => JsonNode.Parse(json)!.AsObject();

    private static JsonObject Section(JsonObject config, string where) => where switch
    {
        "group" => config["config_groups"]!["group_0"]!.AsObject(),
        "weights" => config["config_groups"]!["group_0"]!["weights"]!.AsObject(),
        _ => config,
    };

    private static Quantisation Read(string where, string field, string? value)
    {
        var config = Object(Text(where));
        if (value is null)
        {
            Section(config, where).Remove(field);
        }
        else
        {
            Section(config, where)[field] = JsonNode.Parse(value);
        }

        return Parse(config.ToJsonString());
    }

    private static Quantisation Parse(string json) => Quantisation.Read(HfConfig.Parse(Encoding.UTF8.GetBytes($"{{\"quantization_config\":{json}}}")))!;
}
