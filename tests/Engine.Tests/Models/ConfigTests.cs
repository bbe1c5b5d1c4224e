using System.Text.Json.Nodes;
using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Layers;
using KvPrefetch.Engine.Models;

namespace KvPrefetch.Tests.Models;

/// <summary>Configurations that a family must refuse by name, on a tiny model and by changing every field of every known family.</summary>
public sealed class ConfigTests(ITestOutputHelper output)
{
    public static TheoryData<string, string, string, string> Refused => new()
    {
        { "MC08", "tie_word_embeddings", "false", "lm_head.weight" },
        { "MC09", "hidden_size", "128", "model.embed_tokens.weight" },
        { "MC11", "hidden_size", "0", "hidden_size" },
        { "MC11", "num_attention_heads", "-1", "num_attention_heads" },
        { "MC11", "num_hidden_layers", "2147483648", "num_hidden_layers" },
        { "MC11", "intermediate_size", "32.5", "intermediate_size" },
        { "MC11", "vocab_size", "\"many\"", "vocab_size" },
        { "MC11", "rms_norm_eps", "null", "rms_norm_eps" },
        { "MC12", "num_key_value_heads", "3", "num_attention_heads" },
        { "MC12", "head_dim", "15", "head_dim" },
        { "MC13", "num_hidden_layers", "1000000", "num_hidden_layers" },
        { "MC14", "rms_norm_eps", "0", "rms_norm_eps" },
        { "MC14", "rope_theta", "-1", "rope_theta" },
        { "MC14", "rope_scaling", "{\"rope_type\": \"spiral\", \"factor\": 2.0}", "spiral" },
        { "MC16", "vocab_size", "100", "model.embed_tokens.weight" },
        { "MC18", "model_type", "\"elephant\"", "elephant" },
        { "MC18", "hidden_act", "\"tanh\"", "tanh" },
        { "MC18", "quantization_config", "{\"quant_method\": \"magic\"}", "magic" },
        { "MC19", "eos_token_id", "-3", "eos_token_id" },
    };

    [Theory, MemberData(nameof(Refused))]
    public void ARefusedConfigNamesWhatIsWrong(string row, string field, string value, string named)
    {
        using var model = TinyModel.Create(new TinyModelOptions
        {
            TiedHead = true,
            EditConfig = c => c[field] = JsonNode.Parse(value),
            EditGenerationConfig = g => g.Remove("eos_token_id"),
        });
        var error = Assert.ThrowsAny<KvPrefetchException>(() => LlmEngine.Load(model.Path).Dispose());
        output.WriteLine($"{row}: {error.Message}");
        Assert.Contains(named, error.Message + string.Join(' ', (error as ModelIncompleteException)?.Missing ?? []), StringComparison.Ordinal);
    }

    [Fact]
    public void AnAdapterWithoutItsBaseIsNamed()
    {
        using var folder = new Checkpoints.TempFolder();
        folder.Write("adapter_config.json", """{"base_model_name_or_path":"x/y","peft_type":"LORA"}""");
        folder.Write("adapter_model.safetensors", Checkpoints.Bytes.Tensors(("base_model.model.layers.0.lora_A.weight", [2, 2])));
        Assert.Equal("adapter_config.json", Assert.Throws<UnsupportedModelException>(() => LlmEngine.Load(folder.Path)).Field);
    }

    [Fact]
    public void MC15_AnEndlessContextIsClampedToTheCacheAndAllocatesNothing()
    {
        var log = new List<string>();
        using var model = TinyModel.Create(new TinyModelOptions { EditConfig = c => c["max_position_embeddings"] = int.MaxValue });
        using var engine = LlmEngine.Load(model.Path, new EngineOptions { KvCacheBytes = 1 << 20, Log = log.Add });
        Assert.True(engine.Model.ContextLength < 10_000);
        Assert.Contains(log, line => line.Contains("Context limited", StringComparison.Ordinal));
    }

    [Fact]
    public void MC16_ATokenizerWithMoreTokensThanTheModelIsRefused()
    {
        using var large = TinyModel.Create();
        using var small = TinyModel.Create(new TinyModelOptions { VocabularySize = 300 });
        File.Copy(Path.Combine(large.Path, "tokenizer.json"), Path.Combine(small.Path, "tokenizer.json"), overwrite: true);
        Assert.Equal("VocabularyMismatch", Assert.Throws<ModelFormatException>(() => LlmEngine.Load(small.Path)).Code);
    }

    /// <summary>Each field of each family removed, and made 0, negative, huge, of another type: a typed error or a model that builds, never anything else.</summary>
    [Fact]
    public void NoChangeOfAFieldGivesAnythingButATypedError()
    {
        string[] values = ["0", "-1", "1", "3", "7.5", "2147483648", "1e300", "null", "true", "false", "\"x\"", "[]", "[1]", "{}", "{\"rope_type\": \"default\"}"];
        var tried = 0;
        foreach (var folder in Directory.GetDirectories(Path.Combine(TestAssets.Shared, "goldens", "families")))
        {
            var config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "config.json")))!.AsObject();
            if (!ModelCatalog.ModelTypes.Contains((string?)config["model_type"]))
            {
                continue;
            }

            using var checkpoint = Checkpoint.Open(new ModelFolder(folder));
            string[][] paths = [.. config.Select(p => (string[])[p.Key]), .. FieldEffectTests.Leaves(config, []).Where(p => p.Length > 1 && p[0] != "vision_config")];
            foreach (var path in paths)
            {
                var field = path[^1];
                foreach (var value in values.Append(null))
                {
                    var changed = config.DeepClone().AsObject();
                    var section = FieldEffectTests.At(changed, path[..^1])!.AsObject();
                    if (value is null)
                    {
                        section.Remove(field);
                    }
                    else
                    {
                        section[field] = JsonNode.Parse(value);
                    }

                    tried++;
                    try
                    {
                        var family = ModelCatalog.Describe(HfConfig.Parse(System.Text.Encoding.UTF8.GetBytes(changed.ToJsonString())));
                        using var backend = new ReferenceBackend();
                        family.Build(new WeightLoader(new WeightBinder(checkpoint), backend), 4, 2).Dispose();
                    }
                    catch (KvPrefetchException)
                    {
                        // what a bad value must give
                    }
                    catch (Exception e)
                    {
                        Assert.Fail($"{Path.GetFileName(folder)}: {string.Join('.', path)} = {value ?? "(removed)"}: {e}");
                    }
                }
            }
        }

        output.WriteLine($"{tried} configurations");
        Assert.True(tried > 1000);
    }
}
