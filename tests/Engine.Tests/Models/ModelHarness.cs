using KvPrefetch.Engine;
using KvPrefetch.Engine.Backends;
using KvPrefetch.Engine.Checkpoints;
using KvPrefetch.Engine.Execution;
using KvPrefetch.Engine.KvCache;
using KvPrefetch.Engine.Layers;
using KvPrefetch.Engine.Models;
using KvPrefetch.Engine.Requests;
using KvPrefetch.Engine.Scheduling;

namespace KvPrefetch.Tests.Models;

/// <summary>A model folder on a backend, run step by step through the real scheduler and runner, so that a test sees logits.</summary>
internal sealed class ModelHarness : IDisposable
{
    private readonly Checkpoint _checkpoint;
    private readonly IBackend _backend;
    private readonly ModelRunner _runner;
    private readonly Scheduler _scheduler;
    private long _id;

    public ModelHarness(string path, IBackend backend, int chunk = 512, int pages = 256, WeightFormat weights = WeightFormat.AsStored)
    {
        var folder = new ModelFolder(path);
        var family = ModelCatalog.Describe(HfConfig.Load(folder));
        _backend = backend;
        _checkpoint = Checkpoint.Open(folder);
        var model = family.Build(new WeightLoader(new WeightBinder(_checkpoint), backend) { Format = weights }, chunk, 16);
        Vocabulary = family.Shape.Vocabulary;
        var layout = new KvLayout(family.Shape.Cache, MemoryPlan.PageSize);
        var kv = backend.AllocateKvPages(layout, [.. layout.Windows.Select(_ => pages)]);
        _runner = new ModelRunner(backend, model, kv, backend.AllocateStateSlots(family.Shape.States, 16), chunk, 16);
        _scheduler = new Scheduler([.. layout.Windows.Select(window => new PagePool(pages, MemoryPlan.PageSize, window))], 16, chunk);
    }

    public int Vocabulary { get; }

    /// <summary>Logits after each of the last <paramref name="steps"/> tokens of prompt and greedy continuation; the first are those after the prompt.</summary>
    public List<float[]> Greedy(ReadOnlySpan<int> prompt, int steps, out int[] tokens)
    {
        var (logits, generated) = GreedyBatch([prompt.ToArray()], steps)[0];
        tokens = generated;
        return logits;
    }

    /// <summary>The same for several prompts in one batch.</summary>
    public List<(List<float[]> Logits, int[] Tokens)> GreedyBatch(IReadOnlyList<int[]> prompts, int steps)
    {
        var sequences = prompts.Select(p => new Sequence(_id++, p, p.Length + steps, new SamplingOptions { Temperature = 0 }, [])).ToList();
        var logits = sequences.ToDictionary(s => s, _ => new List<float[]>());
        sequences.ForEach(_scheduler.Add);
        var tokens = new List<int>();
        while (sequences.Exists(s => !s.IsFinished))
        {
            var batch = _scheduler.Next();
            var rows = _runner.Run(batch);
            tokens.Clear();
            for (var i = 0; i < batch.Count; i++)
            {
                if (batch[i].Samples)
                {
                    var row = _runner.Logits(rows, tokens.Count).ToArray();
                    logits[batch[i].Sequence].Add(row);
                    tokens.Add(Array.IndexOf(row, row.Max()));
                }
            }

            _scheduler.Commit(batch, tokens.ToArray());
        }

        return [.. sequences.Select(s => (logits[s], s.Tokens[s.PromptCount..].ToArray()))];
    }

    /// <summary>Mean over ids[1..] of -log p(id | those before it), in nats.</summary>
    public double MeanNegativeLogLikelihood(int[] ids) => MeanNegativeLogLikelihoods([ids])[0];

    /// <summary>The same of several texts, side by side in one batch.</summary>
    public double[] MeanNegativeLogLikelihoods(IReadOnlyList<int[]> texts)
    {
        var sequences = texts.Select(ids => new Sequence(_id++, ids.AsSpan(0, 1), ids.Length + 1, new SamplingOptions(), [])).ToList();
        sequences.ForEach(_scheduler.Add);
        var sums = new double[texts.Count];
        var left = texts.Count;
        while (left > 0)
        {
            var batch = _scheduler.Next();
            var rows = _runner.Run(batch);
            var next = new int[batch.Count];
            for (var i = 0; i < batch.Count; i++)
            {
                var text = sequences.IndexOf(batch[i].Sequence);
                next[i] = texts[text][batch[i].Sequence.Tokens.Length];
                sums[text] -= LogProbability(_runner.Logits(rows, i), next[i]);
            }

            _scheduler.Commit(batch, next);
            foreach (var sequence in sequences.Where((s, i) => !s.IsFinished && s.Tokens.Length == texts[i].Length).ToList())
            {
                _scheduler.Cancel(sequence);
                left--;
            }
        }

        return [.. sums.Select((sum, i) => sum / (texts[i].Length - 1))];
    }

    private static double LogProbability(ReadOnlySpan<float> logits, int token)
    {
        double highest = float.NegativeInfinity, sum = 0;
        foreach (var logit in logits)
        {
            highest = Math.Max(highest, logit);
        }

        foreach (var logit in logits)
        {
            sum += Math.Exp(logit - highest);
        }

        return logits[token] - highest - Math.Log(sum);
    }

    public void Dispose()
    {
        _runner.Dispose();
        _backend.Dispose();
        _checkpoint.Dispose();
    }
}
