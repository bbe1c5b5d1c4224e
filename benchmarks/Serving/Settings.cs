using System.Globalization;

namespace KvPrefetch.Benchmarks.Serving;

/// <summary>What is measured. The peer is given from outside: nothing of it belongs to the repository.</summary>
internal sealed record Settings
{
    public const string Usage =
        """
        Serving: end to end beside llama.cpp, same weights, same threads, all in turn.
          --model DIR          Hugging Face folder
          --peer FILE          llamacpp.mjs (needs node); without it only our own figures
          --peer-cwd FOLDER    folder whose node_modules holds node-llama-cpp
          --gguf FILE          the same weights for the peers
          --suite              all of it at once: contexts, sequences, start-up, memory, all weights and peers; writes cpu.md and cpu.svg
          --quick              for the suite: two contexts, two numbers of sequences, eight tokens: to try it
          --only TEXT          for the suite: programs whose name contains it
          --ik FOLDER          for the suite: ik_llama.cpp's folder with llama-bench and llama-cli
          --chat FILE          for the suite: samples/StreamingChat as published; default: as built
          --gguf4 FILE         for the suite: the weights as Q4_1
          --threads N          default: all processors
          --prompt-tokens N    default 512
          --new-tokens N       default 128
          --sequences N        requests at once, default 1
          --repeat N           repetitions inside each program, median taken, default 3
          --rounds N           both programs in turn, default 5
          --arithmetic KIND    exact or fast, ours alone; default exact
          --weights KIND       as-stored, int8 or int4, ours alone; default as-stored; the suite takes all
          --kv KIND            key-value cache: auto, float32, bfloat16 or int8, ours alone; default auto
          --output FILE        markdown, default benchmarks/results/serving.md
        """;

    public required string Model { get; init; }
    public string? Peer { get; init; }
    public string PeerFolder { get; init; } = ".";
    public string Gguf { get; init; } = string.Empty;
    public int Threads { get; init; } = Environment.ProcessorCount;
    public int PromptTokens { get; init; } = 512;
    public int NewTokens { get; init; } = 128;
    public int Sequences { get; init; } = 1;
    public int Repeat { get; init; } = 3;
    public int Rounds { get; init; } = 5;
    public string Arithmetic { get; init; } = "exact";
    public string Weights { get; init; } = "as-stored";
    public string Kv { get; init; } = "auto";
    public string? Output { get; init; }
    public bool Suite { get; init; }
    public bool Quick { get; init; }
    public string Only { get; init; } = string.Empty;
    public string? Ik { get; init; }
    public string? Chat { get; init; }
    public string Gguf4 { get; init; } = string.Empty;

    /// <summary>Prompt lengths that our child process measures one after the other.</summary>
    public int[] Contexts { get; init; } = [];

    /// <summary>True in the child process that measures us.</summary>
    public bool IsOurs { get; init; }

    public static Settings Parse(string[] args)
    {
        var given = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < args.Length; i++)
        {
            given[args[i]] = args[i] is "--ours" or "--suite" or "--quick" ? string.Empty : ++i < args.Length ? args[i] : throw new FormatException(args[i - 1] + " needs a value.\n" + Usage);
        }

        string? Text(string name) => given.Remove(name, out var value) ? value : null;
        int Number(string name, int otherwise) => Text(name) is { } value ? int.Parse(value, CultureInfo.InvariantCulture) : otherwise;
        string Word(string name, params string[] words) =>
            Text(name) is not { } word ? words[0] : words.Contains(word) ? word : throw new FormatException($"{name} can be {string.Join(" or ", words)}.");
        var settings = new Settings
        {
            Model = Text("--model") ?? throw new FormatException("--model is missing.\n" + Usage),
            Peer = Text("--peer"),
            PeerFolder = Text("--peer-cwd") ?? ".",
            Gguf = Text("--gguf") ?? string.Empty,
            Threads = Number("--threads", Environment.ProcessorCount),
            PromptTokens = Number("--prompt-tokens", 512),
            NewTokens = Number("--new-tokens", 128),
            Sequences = Number("--sequences", 1),
            Repeat = Number("--repeat", 3),
            Rounds = Number("--rounds", 5),
            Arithmetic = Word("--arithmetic", "exact", "fast"),
            Weights = Word("--weights", "as-stored", "int8", "int4"),
            Kv = Word("--kv", "auto", "float32", "bfloat16", "int8"),
            Suite = given.Remove("--suite"),
            Quick = given.Remove("--quick"),
            Only = Text("--only") ?? string.Empty,
            Ik = Text("--ik"),
            Chat = Text("--chat"),
            Gguf4 = Text("--gguf4") ?? string.Empty,
            Contexts = [.. (Text("--contexts") ?? string.Empty).Split(',', StringSplitOptions.RemoveEmptyEntries).Select(c => int.Parse(c, CultureInfo.InvariantCulture))],
            Output = Text("--output"),
            IsOurs = given.Remove("--ours"),
        };
        return given.Count == 0 ? settings : throw new FormatException("Unknown option " + given.Keys.First() + ".\n" + Usage);
    }

    /// <summary>The settings that both programs share, as both spell them.</summary>
    public string[] Shared() =>
    [
        "--threads", Text(Threads), "--prompt-tokens", Text(PromptTokens), "--new-tokens", Text(NewTokens), "--sequences", Text(Sequences), "--repeat", Text(Repeat),
    ];

    /// <summary>Contexts, numbers of sequences and new tokens of the suite.</summary>
    public int[] SuiteContexts => Quick ? [16, 128] : [16, 128, 512, 1024, 2048, 4096];
    public int[] SuiteSequences => Quick ? [1, 2] : [1, 2, 4, 8, 16];
    public int SuiteNewTokens => Quick ? 8 : 64;

    /// <summary>What our own child process gets beyond those.</summary>
    public string[] OursAlone() => ["--model", Model, "--arithmetic", Arithmetic, "--weights", Weights, "--kv", Kv, .. Contexts.Length == 0 ? Array.Empty<string>() : ["--contexts", string.Join(',', Contexts)]];

    /// <summary>The prompt that the peer's script uses for its sequence number <paramref name="sequence"/>.</summary>
    public int[] Prompt(int sequence) => [.. Enumerable.Range(0, PromptTokens).Select(i => (int)(100 + ((i * 7919L) + (sequence * 104729L)) % 40000))];

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}
