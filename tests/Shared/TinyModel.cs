using System.Buffers.Binary;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KvPrefetch.Tests;

/// <summary>Shape of a <see cref="TinyModel"/>. The defaults make a Llama of three layers with about 200,000 parameters.</summary>
internal sealed record TinyModelOptions
{
    /// <summary>The only source of randomness: the same seed and shape give the same files, byte for byte.</summary>
    public int Seed { get; init; } = 1;
    public int HiddenSize { get; init; } = 64;
    public int Layers { get; init; } = 3;
    public int Heads { get; init; } = 4;
    public int KvHeads { get; init; } = 2;

    /// <summary>Null leaves head_dim out of config.json: then it is HiddenSize / Heads.</summary>
    public int? HeadDim { get; init; }
    public int IntermediateSize { get; init; } = 128;

    /// <summary>Tokens of tokenizer and model: 3 control tokens, 256 bytes, the rest merges.</summary>
    public int VocabularySize { get; init; } = 320;
    public int ContextLength { get; init; } = 512;
    public bool TiedHead { get; init; }
    public bool AttentionBias { get; init; }
    public bool MlpBias { get; init; }
    public double RopeTheta { get; init; } = 10_000;

    /// <summary>JSON of config.json's rope_scaling.</summary>
    public string? RopeScaling { get; init; }

    /// <summary>Stored type of all tensors: BF16, F16 or F32.</summary>
    public string DType { get; init; } = "BF16";

    /// <summary>Standard deviation of the weights. Larger makes the next token less of a toss-up.</summary>
    public double Std { get; init; } = 0.05;

    /// <summary>False: no token ends an answer, so that its length is the caller's choice alone.</summary>
    public bool EndsItself { get; init; } = true;
    public bool Tokenizer { get; init; } = true;

    /// <summary>Null: the folder has no chat template.</summary>
    public string? ChatTemplate { get; init; } = TinyModel.ChatMl;

    /// <summary>Last word on the configuration files.</summary>
    public Action<JsonObject>? EditConfig { get; init; }
    public Action<JsonObject>? EditGenerationConfig { get; init; }
}

/// <summary>A complete Hugging Face folder of a small random Llama in the temporary directory: config.json, generation_config.json, model.safetensors,
/// tokenizer.json, tokenizer_config.json. Disposing it removes the folder.</summary>
internal sealed class TinyModel : IDisposable
{
    public const string EndOfText = "<|endoftext|>";
    public const string StartOfTurn = "<|im_start|>";
    public const string EndOfTurn = "<|im_end|>";
    public const int EndOfTextId = 0;
    public const int StartOfTurnId = 1;
    public const int EndOfTurnId = 2;

    /// <summary>Id of the token of byte 0; the other bytes follow in order.</summary>
    public const int FirstByteId = 3;

    public const string ChatMl =
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

    private static readonly JsonSerializerOptions Published = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private TinyModel(string path) => Path = path;

    public string Path { get; }

    public static TinyModel Create(TinyModelOptions? options = null)
    {
        var model = new TinyModel(Directory.CreateTempSubdirectory("kvprefetch-tiny-").FullName);
        options ??= new TinyModelOptions();
        WriteConfig(model.Path, options);
        WriteWeights(System.IO.Path.Combine(model.Path, "model.safetensors"), options);
        if (options.Tokenizer)
        {
            WriteTokenizer(model.Path, options);
        }

        return model;
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Windows keeps a mapped file; the temporary directory is cleaned by others.
        }
    }

    private static void WriteConfig(string folder, TinyModelOptions o)
    {
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray("LlamaForCausalLM"),
            ["attention_bias"] = o.AttentionBias,
            ["attention_dropout"] = 0.0,
            ["bos_token_id"] = StartOfTurnId,
            ["eos_token_id"] = o.EndsItself ? EndOfTurnId : null,
            ["hidden_act"] = "silu",
            ["hidden_size"] = o.HiddenSize,
            ["initializer_range"] = 0.02,
            ["intermediate_size"] = o.IntermediateSize,
            ["max_position_embeddings"] = o.ContextLength,
            ["mlp_bias"] = o.MlpBias,
            ["model_type"] = "llama",
            ["num_attention_heads"] = o.Heads,
            ["num_hidden_layers"] = o.Layers,
            ["num_key_value_heads"] = o.KvHeads,
            ["rms_norm_eps"] = 1e-5,
            ["rope_scaling"] = o.RopeScaling is null ? null : JsonNode.Parse(o.RopeScaling),
            ["rope_theta"] = o.RopeTheta,
            ["tie_word_embeddings"] = o.TiedHead,
            ["torch_dtype"] = o.DType switch { "BF16" => "bfloat16", "F16" => "float16", _ => "float32" },
            ["use_cache"] = true,
            ["vocab_size"] = o.VocabularySize,
        };
        if (o.HeadDim is { } headDim)
        {
            config["head_dim"] = headDim;
        }

        o.EditConfig?.Invoke(config);
        Write(folder, "config.json", config);

        var generation = new JsonObject { ["bos_token_id"] = StartOfTurnId };
        if (o.EndsItself)
        {
            generation["eos_token_id"] = EndOfTurnId;
        }

        o.EditGenerationConfig?.Invoke(generation);
        Write(folder, "generation_config.json", generation);
    }

    private static void WriteWeights(string path, TinyModelOptions o)
    {
        var headDim = o.HeadDim ?? (o.HiddenSize / o.Heads);
        var tensors = new List<(string Name, int[] Shape)> { ("model.embed_tokens.weight", [o.VocabularySize, o.HiddenSize]) };
        void Linear(string name, int rows, int columns, bool bias)
        {
            tensors.Add((name + ".weight", [rows, columns]));
            if (bias)
            {
                tensors.Add((name + ".bias", [rows]));
            }
        }

        for (var i = 0; i < o.Layers; i++)
        {
            var layer = $"model.layers.{i}.";
            tensors.Add((layer + "input_layernorm.weight", [o.HiddenSize]));
            Linear(layer + "self_attn.q_proj", o.Heads * headDim, o.HiddenSize, o.AttentionBias);
            Linear(layer + "self_attn.k_proj", o.KvHeads * headDim, o.HiddenSize, o.AttentionBias);
            Linear(layer + "self_attn.v_proj", o.KvHeads * headDim, o.HiddenSize, o.AttentionBias);
            Linear(layer + "self_attn.o_proj", o.HiddenSize, o.Heads * headDim, o.AttentionBias);
            tensors.Add((layer + "post_attention_layernorm.weight", [o.HiddenSize]));
            Linear(layer + "mlp.gate_proj", o.IntermediateSize, o.HiddenSize, o.MlpBias);
            Linear(layer + "mlp.up_proj", o.IntermediateSize, o.HiddenSize, o.MlpBias);
            Linear(layer + "mlp.down_proj", o.HiddenSize, o.IntermediateSize, o.MlpBias);
        }

        tensors.Add(("model.norm.weight", [o.HiddenSize]));
        if (!o.TiedHead)
        {
            tensors.Add(("lm_head.weight", [o.VocabularySize, o.HiddenSize]));
        }

        WriteSafetensors(path, tensors, o);
    }

    /// <summary>Eight bytes of header length, the header as JSON padded with spaces, then the tensors one after another.</summary>
    private static void WriteSafetensors(string path, List<(string Name, int[] Shape)> tensors, TinyModelOptions o)
    {
        var elementSize = string.Equals(o.DType, "F32", StringComparison.Ordinal) ? 4 : 2;
        var header = new JsonObject { ["__metadata__"] = new JsonObject { ["format"] = "pt" } };
        long offset = 0;
        foreach (var (name, shape) in tensors)
        {
            var end = offset + (shape.Aggregate(1L, (product, n) => product * n) * elementSize);
            header[name] = new JsonObject
            {
                ["dtype"] = o.DType,
                ["shape"] = new JsonArray([.. shape.Select(n => (JsonNode)n)]),
                ["data_offsets"] = new JsonArray(offset, end),
            };
            offset = end;
        }

        var json = header.ToJsonString();
        var headerBytes = Encoding.UTF8.GetBytes(json.PadRight((json.Length + 7) / 8 * 8));
        using var file = File.Create(path);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, headerBytes.Length);
        file.Write(length);
        file.Write(headerBytes);

        var random = new Random(o.Seed);
        foreach (var (name, shape) in tensors)
        {
            var mean = name.Contains("norm", StringComparison.Ordinal) ? 1.0 : 0.0;
            var count = shape.Aggregate(1, (product, n) => product * n);
            var data = new byte[count * elementSize];
            for (var i = 0; i < count; i++)
            {
                var value = (float)(mean + (o.Std * Normal(random)));
                Store(data.AsSpan(i * elementSize), value, o.DType);
            }

            file.Write(data);
        }
    }

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    private static void Store(Span<byte> destination, float value, string dtype)
    {
        switch (dtype)
        {
            case "F32":
                BinaryPrimitives.WriteSingleLittleEndian(destination, value);
                break;
            case "F16":
                BinaryPrimitives.WriteHalfLittleEndian(destination, (Half)value);
                break;
            case "BF16":
                var bits = BitConverter.SingleToUInt32Bits(value);
                BinaryPrimitives.WriteUInt16LittleEndian(destination, (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null);
        }
    }

    private static void WriteTokenizer(string folder, TinyModelOptions o)
    {
        var vocabulary = new JsonObject { [EndOfText] = EndOfTextId, [StartOfTurn] = StartOfTurnId, [EndOfTurn] = EndOfTurnId };
        for (var b = 0; b < 256; b++)
        {
            vocabulary[ByteLevelCharacter(b).ToString()] = FirstByteId + b;
        }

        var merges = new JsonArray();
        foreach (var (left, right) in Merges().Take(o.VocabularySize - vocabulary.Count))
        {
            merges.Add(new JsonArray(left, right));
            vocabulary[left + right] = vocabulary.Count;
        }

        Assert.Equal(o.VocabularySize, vocabulary.Count);
        string[] control = [EndOfText, StartOfTurn, EndOfTurn];
        Write(folder, "tokenizer.json", new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray([.. control.Select((text, id) => AddedToken(text, id))]),
            ["normalizer"] = null,
            ["pre_tokenizer"] = ByteLevel(addPrefixSpace: false),
            ["post_processor"] = null,
            ["decoder"] = ByteLevel(addPrefixSpace: true),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = null,
                ["continuing_subword_prefix"] = null,
                ["end_of_word_suffix"] = null,
                ["fuse_unk"] = false,
                ["byte_fallback"] = false,
                ["ignore_merges"] = false,
                ["vocab"] = vocabulary,
                ["merges"] = merges,
            },
        });

        var tokenizerConfig = new JsonObject
        {
            ["add_prefix_space"] = false,
            ["added_tokens_decoder"] = new JsonObject(control.Select((text, id) =>
            {
                var token = AddedToken(text, id);
                token.Remove("id");
                return KeyValuePair.Create(id.ToString(), (JsonNode?)token);
            })),
            ["bos_token"] = StartOfTurn,
            ["eos_token"] = EndOfTurn,
            ["unk_token"] = EndOfText,
            ["clean_up_tokenization_spaces"] = false,
            ["model_max_length"] = o.ContextLength,
            ["tokenizer_class"] = "GPT2Tokenizer",
        };
        if (o.ChatTemplate is not null)
        {
            tokenizerConfig["chat_template"] = o.ChatTemplate;
        }

        Write(folder, "tokenizer_config.json", tokenizerConfig);
    }

    private static JsonObject AddedToken(string text, int id) => new()
    {
        ["id"] = id,
        ["content"] = text,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = false,
        ["special"] = true,
    };

    private static JsonObject ByteLevel(bool addPrefixSpace) => new()
    {
        ["type"] = "ByteLevel",
        ["add_prefix_space"] = addPrefixSpace,
        ["trim_offsets"] = true,
        ["use_regex"] = true,
    };

    /// <summary>The printable character that stands for a byte in byte-level vocabularies: itself where it is printable, else the next one from U+0100.</summary>
    private static char ByteLevelCharacter(int value)
    {
        static bool Printable(int b) => b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
        return Printable(value) ? (char)value : (char)(0x100 + Enumerable.Range(0, value).Count(b => !Printable(b)));
    }

    /// <summary>A few merges of English, then every pair of small letters, then every such pair with one letter more; each text once.</summary>
    private static IEnumerable<(string Left, string Right)> Merges()
    {
        (string, string)[] english =
        [
            ("Ġ", "t"), ("h", "e"), ("Ġ", "a"), ("i", "n"), ("Ġt", "he"), ("e", "r"), ("o", "n"), ("Ġ", "s"), ("r", "e"), ("Ġ", "w"), ("a", "t"), ("o", "u"),
            ("u", "s"), ("us", "er"), ("s", "t"), ("e", "m"), ("s", "y"), ("sy", "st"), ("syst", "em"), ("a", "s"), ("i", "s"), ("as", "s"), ("ass", "is"),
            ("t", "a"), ("n", "t"), ("ta", "nt"), ("assis", "tant"), ("l", "l"), ("he", "ll"), ("hell", "o"), ("o", "r"), ("l", "d"),
        ];
        var known = new HashSet<string>(StringComparer.Ordinal);
        var letters = Enumerable.Range('a', 26).Select(c => ((char)c).ToString()).ToArray();
        var pairs = letters.SelectMany(_ => letters, (left, right) => (left, right));
        var triples = pairs.SelectMany(_ => letters, (pair, right) => (pair.left + pair.right, right));
        return english.Concat(pairs).Concat(triples).Where(merge => known.Add(merge.Item1 + merge.Item2));
    }

    private static void Write(string folder, string name, JsonNode json) =>
        File.WriteAllText(System.IO.Path.Combine(folder, name), json.ToJsonString(Published));
}
