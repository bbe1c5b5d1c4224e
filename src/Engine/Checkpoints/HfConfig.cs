using System.Text.Json;
using KvPrefetch.Engine.Numerics;

namespace KvPrefetch.Engine.Checkpoints;

/// <summary>config.json of a model folder.</summary>
internal sealed class HfConfig : ConfigSection
{
    public const string FileName = "config.json";

    /// <summary>Where a multimodal config has its language model's.</summary>
    public const string TextField = "text_config";

    /// <summary>4 MiB; real files have a few KiB.</summary>
    public const int MaxBytes = 4 << 20;

    private const string AdapterFile = "adapter_config.json";

    private static readonly string[] CodeFields = ["auto_map", "trust_remote_code", "custom_pipelines"];

    private readonly HfConfig? _whole;

    private HfConfig(JsonElement root, string file, string path = "", HfConfig? whole = null) : base(root, file, path) => _whole = whole;

    /// <summary>The family, such as <c>llama</c>.</summary>
    public string ModelType => GetString("model_type");

    /// <summary>Element type that the makers name (<c>dtype</c>, formerly <c>torch_dtype</c>); null where they name none. The tensors themselves say what they are stored in.</summary>
    public DType? DeclaredType
    {
        get
        {
            var key = Has("dtype") ? "dtype" : "torch_dtype";
            var name = FindString(key);
            const string prefix = "torch.";
            return (name?.StartsWith(prefix, StringComparison.Ordinal) == true ? name[prefix.Length..] : name) switch
            {
                null or "auto" => null,
                "float64" => DType.F64,
                "float32" or "float" => DType.F32,
                "float16" or "half" => DType.F16,
                "bfloat16" => DType.BF16,
                "float8_e4m3fn" => DType.F8E4M3,
                "float8_e5m2" => DType.F8E5M2,
                _ => throw Unsupported(key, Excerpt.Of(name), "float64, float32, float16, bfloat16, float8_e4m3fn, float8_e5m2"),
            };
        }
    }

    /// <summary>How the weights are quantised; null for plain weights. See <see cref="Quantisation.Read"/>. The second name is that of older files.</summary>
    public ConfigSection? Quantization => Section("quantization_config") ?? Section("compression_config") ?? _whole?.Quantization;

    /// <summary>True where the output head is the embedding table. A config that is a part of another follows the whole's word.</summary>
    public bool TiesHead(bool defaultValue) => _whole?.FindBoolean("tie_word_embeddings") ?? GetBoolean("tie_word_embeddings", defaultValue);

    /// <summary>The same config with values for fields that its makers leave out: those with which the family was published first.</summary>
    /// <param name="absent">A JSON object.</param>
    public HfConfig WithDefaults(string absent)
    {
        using var document = JsonDocument.Parse(absent);
        return new HfConfig(Element, File, FullName(""), _whole) { Absent = document.RootElement.Clone() };
    }

    /// <summary>The config of the language model: its section in a multimodal one, else this.</summary>
    public HfConfig Text => Has(TextField) ? Part(TextField) : this;

    /// <summary>The config of a model inside this one, such as <c>text_config</c>.</summary>
    public HfConfig Part(string field) => new(GetSection(field).Element, File, FullName(field) + ".", this);

    /// <summary>Reads config.json. Throws <see cref="ModelFormatException"/>; a missing file has the code <c>FileMissing</c>.</summary>
    public static HfConfig Load(ModelFolder folder, Action<string>? log = null)
    {
        var bytes = folder.ReadBytes(FileName, MaxBytes) ?? throw (folder.FileNames().Contains(AdapterFile, StringComparer.Ordinal)
            ? new UnsupportedModelException($"The model folder {Excerpt.Of(folder.Name)} has {AdapterFile} and no {FileName}: it is an adapter without its base model; merge both and give the merged folder.", AdapterFile)
            : new ModelFormatException("FileMissing", $"The model folder {Excerpt.Of(folder.Name)} has no {FileName}.", FileName));
        var config = Parse(bytes);
        LogCode(config, folder, log);
        return config;
    }

    /// <summary>Reads the text of a configuration.</summary>
    public static HfConfig Parse(ReadOnlySpan<byte> bytes, string file = FileName) => new(JsonFile.Parse(bytes, file), file);

    /// <summary>Code that a model brings along is never run.</summary>
    private static void LogCode(HfConfig config, ModelFolder folder, Action<string>? log)
    {
        if (log is null)
        {
            return;
        }

        List<string> found = [.. CodeFields.Where(config.Has), .. folder.FileNames().Where(n => n.EndsWith(".py", StringComparison.OrdinalIgnoreCase))];
        if (found.Count > 0)
        {
            log($"Ignored, because code in a model folder is never run: {Excerpt.List(found)}.");
        }
    }
}
