using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Execution;
using KvPrefetch.Engine.Layers;
using KvPrefetch.Engine.Models;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Sampling;
using KvPrefetch.Engine.Text.Templates;
using KvPrefetch.Engine.Text.Tokenization;

namespace KvPrefetch.Engine;

/// <summary>What loading a folder gives; the engine owns it from then on.</summary>
internal sealed record EngineParts(ModelInfo Model, Tokenizer? Tokenizer, ChatTemplate? ChatTemplate, Checkpoint Checkpoint, IBackend Backend, ModelRunner Runner, Sampler Sampler, SummarySampler? Summaries, MemoryPlan Plan, WeightsCache? Cache, bool SharesPrefixes)
{
    public static EngineParts Load(string path, EngineOptions options, Func<IBackend> createBackend, IProgress<ModelLoadProgress>? progress, CancellationToken cancellationToken)
    {
        void Enter(string stage, double fraction)
        {
            cancellationToken.ThrowIfCancellationRequested();
            progress?.Report(new ModelLoadProgress(stage, fraction));
        }

        Enter("Reading configuration", 0);
        var folder = new ModelFolder(path);
        var config = HfConfig.Load(folder, options.Log);
        var family = ModelCatalog.Describe(config);
        var generation = GenerationConfig.Load(folder, family.Shape.Vocabulary, options.Log);

        // The text side needs nothing of the weights: it is read on another thread meanwhile.
        var text = Task.Run(() => (Tokenizer.TryLoad(path), ChatTemplate.Load(path)), cancellationToken);
        using var undo = new Undo();
        Enter("Opening weights", 0.1);
        var checkpoint = undo.Add(Checkpoint.Open(folder, options.Log));
        var backend = undo.Add(createBackend());
        var weights = new WeightLoader(new WeightBinder(checkpoint, log: options.Log), backend)
        {
            Format = options.Weights,
            Quantising = share => Enter("Quantising weights", 0.1 + (0.4 * share)),
        };
        var cache = options.Weights == WeightFormat.AsStored || options.WeightsCache is null ? null
            : undo.Add(WeightsCache.Open(options.WeightsCache, checkpoint, $"{options.Weights} {GroupedLayout.Version}", options.Log));
        weights.Cache = cache;
        var model = undo.Add(family.Build(weights, options.MaxBatchTokens, options.MaxBatchSequences));
        Enter("Planning memory", 0.5);
        var plan = MemoryPlan.Make(backend, family.Shape, options.ContextLength, options.KvCacheBytes, options.MaxBatchSequences, options.MaxBatchTokens, options.Log);
        var pages = undo.Add(backend.AllocateKvPages(plan.Layout, plan.Pages));
        var states = undo.Add(backend.AllocateStateSlots(family.Shape.States, plan.Sequences));
        var runner = new ModelRunner(backend, model, pages, states, options.MaxBatchTokens, options.MaxBatchSequences);
        var sampler = new Sampler(family.Shape.Vocabulary);
        var summaries = backend.Summarises(family.Shape.Vocabulary) ? undo.Add(new SummarySampler(backend, sampler, options.MaxBatchSequences, family.Shape.Vocabulary)) : null;
        Enter("Reading tokenizer", 0.6);
        var (tokenizer, template) = text.GetAwaiter().GetResult();
        if (tokenizer?.VocabularySize > family.Shape.Vocabulary)
        {
            throw new ModelFormatException("VocabularyMismatch", $"tokenizer.json has {tokenizer.VocabularySize} tokens, config.json a vocab_size of {family.Shape.Vocabulary}.", "tokenizer.json", "vocab_size");
        }

        var info = new ModelInfo
        {
            Id = folder.Name,
            ModelType = config.ModelType,
            Parameters = weights.Parameters,
            VocabularySize = family.Shape.Vocabulary,
            ContextLength = plan.ContextLength,
            StopTokens = generation.EosTokens.Count > 0 ? generation.EosTokens : GenerationConfig.ReadEosTokens(config.Has("eos_token_id") ? config : config.Text, family.Shape.Vocabulary),
            SamplingDefaults = SamplingDefaults(generation),
        };
        Enter("Ready", 1);
        undo.Keep();

        // A window's pages are given back, and a state belongs to one place of a text: neither can be taken up in the middle.
        // On a card a page's bits may depend on what ran beside it, which is what BatchInvariant excludes.
        var sharesPrefixes = options is { PrefixCache: true, BatchInvariant: false } && plan.Layout.Windows is [0] && family.Shape.States.Count == 0 && !RopeParameters.DependOnLength(config.Text);
        return new EngineParts(info, tokenizer, template, checkpoint, backend, runner, sampler, summaries, plan, cache, sharesPrefixes);
    }

    /// <summary>What the makers recommend; where they are silent, plain sampling. Explicit greedy (do_sample false) is not taken over: this engine samples unless asked otherwise.</summary>
    private static SamplingOptions SamplingDefaults(GenerationConfig generation)
    {
        var plain = new SamplingOptions();
        return plain with
        {
            Temperature = (float)(generation.Temperature ?? plain.Temperature),
            TopK = generation.TopK ?? plain.TopK,
            TopP = generation.TopP is { } topP ? Math.Max((float)topP, 1e-6f) : plain.TopP,    // 0 there means the likeliest token alone
            MinP = (float)(generation.MinP ?? plain.MinP),
            RepetitionPenalty = (float)(generation.RepetitionPenalty ?? plain.RepetitionPenalty),
        };
    }

    /// <summary>Disposes what was built so far, in reverse, unless loading succeeds.</summary>
    private sealed class Undo : IDisposable
    {
        private readonly Stack<IDisposable> _built = new();

        public T Add<T>(T built)
            where T : IDisposable
        {
            _built.Push(built);
            return built;
        }

        public void Keep() => _built.Clear();

        public void Dispose()
        {
            while (_built.TryPop(out var built))
            {
                built.Dispose();
            }
        }
    }
}
