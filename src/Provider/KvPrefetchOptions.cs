using System.ComponentModel.DataAnnotations;
using KvPrefetch.Engine;

namespace KvPrefetch.AI;

/// <summary>When a registered client loads its model.</summary>
public enum WarmUpMode
{
    /// <summary>The host starts when the model is ready, and does not start when it cannot be loaded.</summary>
    BeforeStart,
    /// <summary>Loading begins with the host, which does not wait: requests wait, and the health check says Unhealthy until the model is ready.</summary>
    Background,
    /// <summary>The first request loads the model.</summary>
    FirstRequest,
}

/// <summary>Which model a client runs, and how.</summary>
public sealed class KvPrefetchOptions : IValidatableObject
{
    /// <summary>Path of a Hugging Face folder (config.json, tokenizer.json and safetensors files, as published), or its name where it lies in <c>models</c> beside the application.
    /// The default, <c>tiny-chat</c>, is brought by the package KvPrefetch.AI.TinyChat.</summary>
    [Required(ErrorMessage = "not set; " + ModelPlace.Advice + ".")]
    public string Model { get; set; } = ModelPlace.Default;

    /// <summary>The name that responses carry and that ChatOptions.ModelId is compared with; null takes the folder's.</summary>
    public string? ModelId { get; set; }

    /// <summary>What computes: a CUDA device where there is one that can run the model, else the processor; or one of them by name.</summary>
    public ComputeBackend Backend { get; set; }

    /// <summary>Which CUDA device, from 0.</summary>
    [Bounds(0, 255, "number of the CUDA device")]
    public int DeviceIndex { get; set; }

    /// <summary>What products with weights do to activations on the processor: <see cref="Arithmetic.Exact"/> by default; <see cref="Arithmetic.Fast"/> makes prompts and batches several times faster
    /// on processors with matrix tiles (AMX).</summary>
    public Arithmetic Arithmetic { get; set; }

    /// <summary>What weights become while the model is loaded, on the processor: <see cref="WeightFormat.AsStored"/> by default; <see cref="WeightFormat.Int8"/> and <see cref="WeightFormat.Int4"/>
    /// make answers faster and memory smaller, and the model a little less exact.</summary>
    public WeightFormat Weights { get; set; }

    /// <summary>Folder for quantised weights, so that the next start need not quantise again; it is made where it lacks. Null keeps none.</summary>
    public string? WeightsCache { get; set; }

    /// <summary>Threads that compute; 0 takes the physical cores that this process may use.</summary>
    [Bounds(0, 1024, "threads that compute; 0 takes the physical cores that this process may use")]
    public int Threads { get; set; }

    /// <summary>Longest sequence (prompt and output) of a request, in tokens; 0 takes what the model allows and memory holds.</summary>
    [Bounds(0, int.MaxValue, "tokens of prompt and answer together; 0 takes what the model allows and memory holds")]
    public int ContextLength { get; set; }

    /// <summary>Bytes of key-value cache; 0 plans from the memory that is free.</summary>
    [Bounds(0, long.MaxValue, "bytes of key-value cache; 0 plans from the memory that is free")]
    public long KvCacheBytes { get; set; }

    /// <summary>Requests that begin with the same tokens use each other's keys and values (instructions, tools, earlier turns), as long as they are in the cache.</summary>
    public bool PrefixCache { get; set; } = true;

    /// <summary>How keys and values are kept.</summary>
    public KvCacheType KvCacheType { get; set; }

    /// <summary>Requests that may run at once.</summary>
    [Bounds(1, 4096, "requests that may run at once")]
    public int MaxBatchSequences { get; set; } = 64;

    /// <summary>Tokens that one step may compute: prompt chunks and decodes together.</summary>
    [Bounds(1, 65_536, "tokens that one step may compute")]
    public int MaxBatchTokens { get; set; } = 512;

    /// <summary>Requests that may wait beyond those running; one more is refused.</summary>
    [Bounds(0, 1_048_576, "requests that may wait beyond those running")]
    public int MaxQueue { get; set; } = 512;

    /// <summary>When a registered client loads its model. A client made by its constructor loads at the first request or at <see cref="KvPrefetchChatClient.LoadAsync"/>.</summary>
    public WarmUpMode WarmUp { get; set; }

    IEnumerable<ValidationResult> IValidatableObject.Validate(ValidationContext validationContext)
    {
        if (!string.IsNullOrWhiteSpace(Model) && ModelPlace.Missing(Model, AppContext.BaseDirectory) is { } missing)
        {
            yield return new ValidationResult(missing, [nameof(Model)]);
        }

        if (ModelId is not null && string.IsNullOrWhiteSpace(ModelId))
        {
            yield return new ValidationResult("blank; give a name, or leave it out to take the folder's.", [nameof(ModelId)]);
        }

        if (!Enum.IsDefined(Backend))
        {
            yield return new ValidationResult($"{(int)Backend} is unknown; set it to {string.Join(", ", Enum.GetNames<ComputeBackend>())}.", [nameof(Backend)]);
        }

        if (!Enum.IsDefined(Arithmetic))
        {
            yield return new ValidationResult($"{(int)Arithmetic} is unknown; set it to {string.Join(", ", Enum.GetNames<Arithmetic>())}.", [nameof(Arithmetic)]);
        }

        if (!Enum.IsDefined(Weights))
        {
            yield return new ValidationResult($"{(int)Weights} is unknown; set it to {string.Join(", ", Enum.GetNames<WeightFormat>())}.", [nameof(Weights)]);
        }

        if (WeightsCache is not null && string.IsNullOrWhiteSpace(WeightsCache))
        {
            yield return new ValidationResult("blank; give the path of a folder, or leave it out to keep no quantised weights.", [nameof(WeightsCache)]);
        }

        if (!Enum.IsDefined(KvCacheType))
        {
            yield return new ValidationResult($"{(int)KvCacheType} is unknown; set it to {string.Join(", ", Enum.GetNames<KvCacheType>())}.", [nameof(KvCacheType)]);
        }

        if (!Enum.IsDefined(WarmUp))
        {
            yield return new ValidationResult($"{(int)WarmUp} is unknown; set it to {string.Join(", ", Enum.GetNames<WarmUpMode>())}.", [nameof(WarmUp)]);
        }
    }

    internal KvPrefetchOptions Copy() => (KvPrefetchOptions)MemberwiseClone();

    /// <summary>Full path of the model's folder.</summary>
    internal string Folder => Path.GetFullPath(ModelPlace.Find(Model, AppContext.BaseDirectory));

    internal string EffectiveModelId => ModelId ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Folder));

    internal EngineOptions ToEngineOptions(Action<string> log) => new()
    {
        Backend = Backend,
        Arithmetic = Arithmetic,
        Weights = Weights,
        WeightsCache = WeightsCache,
        DeviceIndex = DeviceIndex,
        Threads = Threads,
        ContextLength = ContextLength,
        KvCacheBytes = KvCacheBytes,
        PrefixCache = PrefixCache,
        KvCacheType = KvCacheType,
        MaxBatchSequences = MaxBatchSequences,
        MaxBatchTokens = MaxBatchTokens,
        MaxQueue = MaxQueue,
        Log = log,
    };
}
