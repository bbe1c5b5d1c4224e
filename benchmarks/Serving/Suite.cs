using System.Globalization;

namespace KvPrefetch.Benchmarks.Serving;

/// <summary>Everything that issue and README want to know of serving on the processor, in rounds in which all programs run in turn, every other round in reverse.</summary>
internal sealed class Suite(Settings settings, string repository)
{
    public const int StartPrompt = 37, MemoryContext = 2048, ManyPrompt = 128;

    /// <summary>Ours as the suite runs them.</summary>
    public static readonly (string Name, string Arithmetic, string Weights)[] Ours =
    [
        ("ours, bf16, exact", "exact", "as-stored"),
        ("ours, bf16, fast", "fast", "as-stored"),
        ("ours, 8 bit", "fast", "int8"),
        ("ours, 4 bit", "fast", "int4"),
    ];

    public const string IkBf16 = "ik_llama.cpp, BF16", IkQ4 = "ik_llama.cpp, Q4_1", NodeBf16 = "node-llama-cpp, BF16", NodeQ4 = "node-llama-cpp, Q4_1";

    public Samples Run()
    {
        var samples = new Samples();
        for (var round = 0; round < settings.Rounds; round++)
        {
            var read = ReadBandwidth.Measure(settings.Threads);
            ReadBandwidth.Release();
            GC.Collect();
            samples.Add("read", "GB/s", round, read);
            var programs = Programs(samples, round).Where(p => p.Name.Contains(settings.Only, StringComparison.Ordinal)).ToArray();
            if (round % 2 == 1)
            {
                Array.Reverse(programs);
            }

            foreach (var (name, run) in programs)
            {
                Console.Error.WriteLine(FormattableString.Invariant($"{DateTime.UtcNow:HH:mm:ss} round {round + 1} of {settings.Rounds}: {name}"));
                try
                {
                    run();
                }
                catch (Exception e) when (e is InvalidOperationException or System.ComponentModel.Win32Exception or System.Text.Json.JsonException or IndexOutOfRangeException)
                {
                    Console.Error.WriteLine($"  left out: {e.Message}");
                }
            }
        }

        return samples;
    }

    private IEnumerable<(string Name, Action Run)> Programs(Samples samples, int round)
    {
        foreach (var (name, arithmetic, weights) in Ours)
        {
            yield return (name, () => RunOurs(samples, round, name, settings with { Arithmetic = arithmetic, Weights = weights, NewTokens = settings.SuiteNewTokens, Repeat = 1 }));
        }

        foreach (var (name, gguf) in new[] { (IkBf16, settings.Gguf), (IkQ4, settings.Gguf4) }.Where(p => settings.Ik is not null && p.Item2.Length > 0))
        {
            yield return (name, () => RunIk(samples, round, name, gguf));
        }

        foreach (var (name, gguf) in new[] { (NodeBf16, settings.Gguf), (NodeQ4, settings.Gguf4) }.Where(p => settings.Peer is not null && p.Item2.Length > 0))
        {
            yield return (name, () => RunNode(samples, round, name, settings with { Gguf = gguf, NewTokens = settings.SuiteNewTokens, Repeat = 1 }));
        }
    }

    private void RunOurs(Samples samples, int round, string name, Settings ours)
    {
        var figures = Serving.Programs.RunOursAt(ours with { Contexts = settings.SuiteContexts });
        foreach (var (context, at) in settings.SuiteContexts.Zip(figures))
        {
            samples.Add(name, "prefill", round, at.PrefillTokensPerSecond, context);
            samples.Add(name, "decode", round, at.DecodeTokensPerSecond, context);
        }

        foreach (var sequences in settings.SuiteSequences)
        {
            samples.Add(name, "many", round, Serving.Programs.RunOurs(ours with { Contexts = [ManyPrompt], Sequences = sequences }).DecodeTokensPerSecond, sequences);
        }

        samples.Add(name, "start", round, Serving.Programs.RunColdStart(ours with { PromptTokens = StartPrompt }, repository));
        samples.Add(name, "memory", round, Serving.Programs.RunOurs(ours with { PromptTokens = MemoryContext - settings.SuiteNewTokens }).PrivateMiB);
    }

    private void RunIk(Samples samples, int round, string name, string gguf)
    {
        foreach (var (context, prefill, decode) in Serving.Programs.RunIk(settings with { Contexts = settings.SuiteContexts, NewTokens = settings.SuiteNewTokens, Repeat = 1 }, gguf))
        {
            samples.Add(name, "prefill", round, prefill, context);
            samples.Add(name, "decode", round, decode, context);
        }

        samples.Add(name, "start", round, Serving.Programs.RunIkColdStart(settings with { PromptTokens = StartPrompt }, gguf));
    }

    private void RunNode(Samples samples, int round, string name, Settings node)
    {
        foreach (var context in settings.SuiteContexts)
        {
            var at = Serving.Programs.RunPeer(node with { PromptTokens = context });
            samples.Add(name, "prefill", round, at.PrefillTokensPerSecond, context);
            samples.Add(name, "decode", round, at.DecodeTokensPerSecond, context);
        }

        foreach (var sequences in settings.SuiteSequences)
        {
            samples.Add(name, "many", round, Serving.Programs.RunPeer(node with { PromptTokens = ManyPrompt, Sequences = sequences }).DecodeTokensPerSecond, sequences);
        }

        var start = Serving.Programs.RunPeer(node with { PromptTokens = StartPrompt, NewTokens = 2 });
        samples.Add(name, "start", round, start.LoadMs + start.FirstTokenMs);
        samples.Add(name, "memory", round, Serving.Programs.RunPeer(node with { PromptTokens = MemoryContext - settings.SuiteNewTokens }).PrivateMiB);
    }
}

/// <summary>Figures by program, measure, place (context or number of sequences) and round.</summary>
internal sealed class Samples
{
    private readonly Dictionary<(string Program, string Measure, int At, int Round), double> _values = [];

    public void Add(string program, string measure, int round, double value, int at = 0)
    {
        _values[(program, measure, at, round)] = value;
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {program}: {measure}{(at > 0 ? $" {at}" : "")} {value:F1}"));
    }

    /// <summary>The median over the rounds; NaN where nothing was measured.</summary>
    public double Of(string program, string measure, int at = 0)
    {
        var all = _values.Where(v => v.Key.Program == program && v.Key.Measure == measure && v.Key.At == at).Select(v => v.Value).ToArray();
        return all.Length == 0 ? double.NaN : Statistics.Median(all);
    }

    /// <summary>Ratios within each round that has both.</summary>
    public double[] Ratios(string program, string other, string measure, int at = 0) =>
    [
        .. _values.Where(v => v.Key.Program == program && v.Key.Measure == measure && v.Key.At == at && _values.ContainsKey(v.Key with { Program = other }))
            .Select(v => v.Value / _values[v.Key with { Program = other }]),
    ];
}
