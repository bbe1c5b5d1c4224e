using KvPrefetch.Engine.Checkpoints;

namespace KvPrefetch.Tests.Checkpoints;

/// <summary>Valid configurations and indexes, damaged: typed errors only, and what is accepted keeps its promises.</summary>
public sealed class ConfigFuzzTests
{
    private static readonly string[] Valid =
    [
        """{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"rms_norm_eps":1e-06,"hidden_act":"silu","tie_word_embeddings":false,"eos_token_id":2,"dtype":"bfloat16","max_position_embeddings":512,"rope_parameters":{"rope_theta":10000.0,"rope_type":"default"},"vocab_size":320}""",
        """{"model_type":"llama","hidden_size":576,"rms_norm_eps":1e-05,"rope_scaling":{"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192,"rope_type":"llama3"},"rope_theta":500000,"torch_dtype":"bfloat16","max_position_embeddings":131072,"eos_token_id":[128001,128008],"temperature":0.6,"top_p":0.9,"top_k":50,"do_sample":true}""",
        """{"model_type":"deepseek","rope_scaling":{"beta_fast":32,"beta_slow":1,"factor":40,"mscale":0.707,"mscale_all_dim":0.707,"original_max_position_embeddings":4096,"type":"yarn"},"max_position_embeddings":163840,"quantization_config":{"quant_method":"fp8","weight_block_size":[128,128]},"partial_rotary_factor":0.5}""",
        """{"model_type":"gemma3","text_config":{"hidden_size":64,"rope_parameters":{"full_attention":{"rope_type":"linear","factor":8,"rope_theta":1e6},"sliding_attention":{"rope_theta":1e4}}},"time_step_limit":[0.0,Infinity]}""",
        """{"model_type":"llama","rope_scaling":{"type":"dynamic","factor":4.0},"max_position_embeddings":2048,"min_p":0.1,"repetition_penalty":1.1}""",
    ];

    private static readonly string[] Values =
    [
        "0", "-1", "1", "2", "0.5", "-0.0", "1e999", "-1e999", "1e-999", "NaN", "Infinity", "-Infinity", "2147483647", "2147483648", "9223372036854775808", "1" + new string('0', 400), "null", "true", "false", "\"\"", "\"NaN\"",
        "\"llama\"", "\"yarn\"", "\"linear\"", "\"\\ud800\"", "\"\\u202e\"", "[]", "[1]", "[1,\"a\"]", "[[[]]]", "{}", "{\"factor\":1}", "{\"__float__\":\"NaN\"}", "{\"__float__\":1}", "{\"a\":1,\"a\":2}",
    ];

    [Fact]
    public void Configurations_give_typed_errors_only()
    {
        var deep = string.Concat(Enumerable.Repeat("[", 100));
        Fuzz.Run("config.json", random =>
        {
            var text = Valid[random.Next(Valid.Length)];
            for (var n = random.Next(1, 4); n > 0; n--)
            {
                text = Mutate(random, text, random.Next(50) == 0 ? deep : Values[random.Next(Values.Length)]);
            }

            var bytes = random.Next(4) == 0 ? Fuzz.Damage(random, Fuzz.Utf8(text)) : Fuzz.Utf8(text);
            var before = GC.GetAllocatedBytesForCurrentThread();
            HfConfig? config = null;
            Fuzz.ErrorOf(() => config = HfConfig.Parse(bytes));
            if (config is not null)
            {
                ReadAll(config, random);
                foreach (var section in new[] { "text_config", "rope_parameters", "rope_scaling", "quantization_config" })
                {
                    Fuzz.ErrorOf(() => ReadAll(config.GetSection(section), random));
                }

                Fuzz.ErrorOf(() => _ = config.ModelType);
                Fuzz.ErrorOf(() => _ = config.DeclaredType);
                Assert.NotNull(config.Unread);
            }

            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        });
    }

    [Fact]
    public void Indexes_give_typed_errors_only()
    {
        const string valid = """{"metadata":{"total_size":36,"x":[{}]},"weight_map":{"a":"m-1.safetensors","b":"m-1.safetensors","c":"m-2.safetensors"}}""";
        Fuzz.Run("index", random =>
        {
            var value = Fuzz.Pick(random, "\"../x.safetensors\"", "\"a\\\\b.safetensors\"", "\"\\u0000.safetensors\"", "\"NUL.safetensors\"", "\"x.bin\"", "\"\\ud800.safetensors\"", Values[random.Next(Values.Length)]);
            var text = Mutate(random, valid, value);
            var bytes = random.Next(2) == 0 ? Fuzz.Damage(random, Fuzz.Utf8(text)) : Fuzz.Utf8(text);
            Fuzz.ErrorOf(() =>
            {
                var index = ShardIndex.Parse(bytes);
                Assert.All(index.Shards, s => Assert.True(s.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase) && s.IndexOfAny(['/', '\\', ':', '\0']) < 0 && s is not ".."));
                Assert.All(index.Files.Values, f => Assert.Contains(f, index.Shards));
            });
        });
    }

    /// <summary>What a family asks for, and every kind of question about two of the fields (exceptions are slow).</summary>
    private static void ReadAll(ConfigSection config, Random random)
    {
        foreach (var layer in new[] { null, "full_attention", "sliding_attention" })
        {
            Fuzz.ErrorOf(() =>
            {
                var rope = RopeParameters.Read(config, layerType: layer);
                Assert.True(double.IsFinite(rope.Theta) && rope.Theta >= 1 && rope.Factor >= 1 && rope.Factor <= 1e6 && rope.OriginalMaxPositions >= 0);
                Assert.True(rope.PartialRotaryFactor is > 0 and <= 1 && rope.AttentionFactor > 0 && double.IsFinite(rope.AttentionFactor) && rope.BetaFast >= rope.BetaSlow && rope.BetaSlow > 0);
                Assert.True(rope.Kind != RopeKind.Llama3 || rope.HighFrequencyFactor > rope.LowFrequencyFactor);
                Assert.True(rope.Kind is RopeKind.Default or RopeKind.Linear || rope.OriginalMaxPositions > 0);
            });
        }

        Fuzz.ErrorOf(() =>
        {
            var generation = GenerationConfig.Read(config, 200_000);
            Assert.All(generation.EosTokens, t => Assert.InRange(t, 0, 199_999));
            Assert.True(generation.Temperature is null or (>= 0 and <= 100) && generation.TopP is null or (>= 0 and <= 1) && generation.TopK is null or >= 0);
        });
        var fields = config.Fields.ToArray();
        random.Shuffle(fields);
        foreach (var name in fields.Take(2))
        {
            Fuzz.ErrorOf(() => Assert.InRange(config.GetInt32(name, 1, 1_000_000), 1, 1_000_000));
            Fuzz.ErrorOf(() => Assert.InRange(config.GetInt32Clamped(name, 1, 1_000, null), 1, 1_000));
            Fuzz.ErrorOf(() => Assert.InRange(config.GetDouble(name, 0, 1), 0, 1));
            Fuzz.ErrorOf(() => Assert.NotNull(config.GetString(name)));
            Fuzz.ErrorOf(() => config.GetBoolean(name));
            Fuzz.ErrorOf(() => Assert.NotNull(config.GetChoice(name, ["llama"])));
            Fuzz.ErrorOf(() => Assert.NotNull(config.GetSection(name)));
            Fuzz.ErrorOf(() => Assert.NotNull(config.FindInt32OrArray(name, 0, 10, 10)));
            Fuzz.ErrorOf(() => Assert.NotNull(config.FindDoubleArray(name, 0, 10)));
            Fuzz.ErrorOf(() => Assert.NotNull(config.FindStringArray(name)));
        }
    }

    /// <summary>Replaces, doubles, removes or renames one field somewhere in the text.</summary>
    private static string Mutate(Random random, string text, string value)
    {
        var colons = Enumerable.Range(0, text.Length).Where(i => text[i] == ':').ToList();
        if (colons.Count == 0)
        {
            return text + value;
        }

        var colon = colons[random.Next(colons.Count)];
        var end = colon + 1;
        for (var depth = 0; end < text.Length && (depth > 0 || text[end] is not (',' or '}' or ']')); end++)
        {
            depth += text[end] is '{' or '[' ? 1 : text[end] is '}' or ']' ? -1 : 0;
        }

        var start = Math.Max(0, text.LastIndexOfAny(['{', ','], colon) + 1);
        var field = text[start..colon];
        return random.Next(6) switch
        {
            0 => text[..start] + field + ":" + value + "," + text[start..],
            1 => text[..start] + "\"gone\":0" + text[end..],
            2 => text[..start] + Fuzz.Pick(random, "\"rope_scaling\"", "\"rope_theta\"", "\"factor\"", "\"type\"", "\"\\u0061\"", "\"\\ud800\"") + text[colon..],
            _ => text[..(colon + 1)] + value + text[end..],
        };
    }
}
