using KvPrefetch.Engine.Backends.Cpu;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Execution;
using KvPrefetch.Engine.Layers;
using KvPrefetch.Engine.Models;
using KvPrefetch.Engine.Text.Templates;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Engine;

/// <summary>What a model folder holds, found without reading a weight: configuration, tensor names and shapes, tokenizer and template. Memory is that of the CPU backend.</summary>
public sealed record ModelDescription
{
    /// <summary>For each width of windows: bytes of a token.</summary>
    private (int Window, long Bytes)[] _windowed = [];

    internal ModelDescription()
    {
    }

    /// <summary>Name of the folder.</summary>
    public required string Id { get; init; }

    /// <summary><c>model_type</c> of config.json.</summary>
    public required string ModelType { get; init; }

    /// <summary><c>model_type</c> of the language model inside a multimodal checkpoint; else the same as <see cref="ModelType"/>.</summary>
    public required string TextModelType { get; init; }

    /// <summary>Elements of the tensors that are used, as stored.</summary>
    public required long Parameters { get; init; }

    /// <summary>Bytes of all tensors in the folder.</summary>
    public required long WeightBytes { get; init; }

    /// <summary>Tensors in the folder.</summary>
    public required int Tensors { get; init; }

    /// <summary>Files with tensors.</summary>
    public required int Files { get; init; }

    /// <summary><c>quant_method</c> of quantised weights; null for plain ones.</summary>
    public required string? Quantisation { get; init; }

    /// <summary>Layers of each kind, in the config's words and in the order in which kinds first appear.</summary>
    public required IReadOnlyList<KeyValuePair<string, int>> Layers { get; init; }

    /// <summary>Longest sequence the model was made for, in tokens.</summary>
    public required int MaxContextLength { get; init; }

    /// <summary>Bytes that a token takes in the key-value cache, over all layers.</summary>
    public required long KvBytesPerToken { get; init; }

    /// <summary>Of these, what it takes after it has left all windows.</summary>
    public required long KvBytesPerTokenBeyondWindows { get; init; }

    /// <summary>Bytes of state that recurrent layers keep for each running sequence.</summary>
    public required long StateBytesPerSequence { get; init; }

    /// <summary>Tokens of the tokenizer; null where the folder has none.</summary>
    public required int? TokenizerTokens { get; init; }

    /// <summary>True when the folder has a chat template.</summary>
    public required bool HasChatTemplate { get; init; }

    /// <summary>Bytes that one sequence takes in cache and state when it is as long as <paramref name="tokens"/>.</summary>
    public long SequenceBytes(int tokens) => checked((KvBytesPerTokenBeyondWindows * tokens) + _windowed.Sum(w => w.Bytes * Math.Min(tokens, w.Window)) + StateBytesPerSequence);

    /// <summary>Reads a folder; see <see cref="LlmEngine.Describe"/>.</summary>
    internal static ModelDescription Read(string path, Action<string>? log)
    {
        var folder = new ModelFolder(path);
        var config = HfConfig.Load(folder, log);
        var family = ModelCatalog.Describe(config);
        var text = config.Text;
        var shape = family.Shape;
        using var checkpoint = Checkpoint.Open(folder, log);
        using var backend = new ReferenceBackend();
        var weights = new WeightLoader(new WeightBinder(checkpoint, log: log, checksOnly: true), backend);
        family.Build(weights, maxTokens: 1, maxSamples: 1).Dispose();
        long Bytes(Backends.KvLayer layer) => backend.KvPageBytes(layer, MemoryPlan.PageSize) / MemoryPlan.PageSize;
        return new ModelDescription
        {
            Id = folder.Name,
            ModelType = config.ModelType,
            TextModelType = text.ModelType,
            Parameters = weights.Parameters,
            WeightBytes = checkpoint.TotalBytes,
            Tensors = checkpoint.Names.Count,
            Files = checkpoint.Files.Count,
            Quantisation = text.Quantization?.FindString("quant_method"),
            Layers = [.. shape.LayerKinds.GroupBy(k => k, StringComparer.Ordinal).Select(g => KeyValuePair.Create(g.Key, g.Count()))],
            MaxContextLength = shape.MaxPositions,
            KvBytesPerToken = shape.Cache.Sum(Bytes),
            KvBytesPerTokenBeyondWindows = shape.Cache.Where(l => l.Window == 0).Sum(Bytes),
            StateBytesPerSequence = Backends.StateSlots.SlotBytes(shape.States),
            TokenizerTokens = Tokenizer.TryLoad(path)?.VocabularySize,
            HasChatTemplate = ChatTemplate.Load(path) is not null,
            _windowed = [.. shape.Cache.Where(l => l.Window > 0).GroupBy(l => l.Window).Select(g => (g.Key, g.Sum(Bytes)))],
        };
    }
}
