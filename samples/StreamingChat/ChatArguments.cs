using System.Globalization;
using KvPrefetch.AI;
using KvPrefetch.Engine;

namespace KvPrefetch.Samples.StreamingChat;

/// <summary>What the command line says. A hand-written table, because a parsing library costs 30 ms of every start.</summary>
internal sealed record ChatArguments
{
    public string Model { get; private init; } = TinyChatModel.Folder;
    public string? Prompt { get; private init; }
    public string? System { get; private init; }
    public int? MaxTokens { get; private init; }
    public float? Temperature { get; private init; }
    public float? TopP { get; private init; }
    public long? Seed { get; private init; }
    public bool Raw { get; private init; }
    public bool Ids { get; private init; }
    public int[]? PromptIds { get; private init; }
    public bool StatsAsJson { get; private init; }
    public ComputeBackend Backend { get; private init; }
    public Arithmetic Arithmetic { get; private init; }
    public WeightFormat Weights { get; private init; }
    public string? WeightsCache { get; private init; }
    public int? Threads { get; private init; }
    public bool Describe { get; private init; }
    public bool Help { get; private init; }

    private sealed record Option(string Name, string? Value, string Help, Func<ChatArguments, string, ChatArguments> Apply);

    private static readonly Option[] Options =
    [
        new("--model", "DIR", "Hugging Face folder: config.json, *.safetensors, tokenizer.json; default: tiny-chat, which comes with this program", (a, v) => a with { Model = v }),
        new("--prompt", "TEXT", "answer this once and exit; without it, a chat (one message a line where input is piped)", (a, v) => a with { Prompt = v }),
        new("--system", "TEXT", "system message", (a, v) => a with { System = v }),
        new("--max-tokens", "N", "tokens to generate at most", (a, v) => a with { MaxTokens = (int)Whole("--max-tokens", v, 1, int.MaxValue) }),
        new("--temperature", "T", "0 is greedy; default: as the model says", (a, v) => a with { Temperature = Real("--temperature", v, 0, 100) }),
        new("--top-p", "P", "keep the likeliest tokens up to this probability, 0 (exclusive) to 1", (a, v) => a with { TopP = Real("--top-p", v, float.Epsilon, 1) }),
        new("--seed", "N", "same seed, same answer", (a, v) => a with { Seed = Whole("--seed", v, long.MinValue, long.MaxValue) }),
        new("--raw", null, "no chat template: continue the text", (a, _) => a with { Raw = true }),
        new("--ids", null, "print token ids, comma-separated, instead of text", (a, _) => a with { Ids = true }),
        new("--prompt-ids", "1,2,3", "these tokens as the prompt; with --ids no tokenizer is needed", (a, v) => a with { PromptIds = TokenIds(v) }),
        new("--stats", "json", "figures of each answer as one line of JSON on standard error", (a, v) => v == "json" ? a with { StatsAsJson = true } : throw new OptionException($"--stats can only be 'json', not '{Shortened(v)}'.")),
        new("--backend", "NAME", "auto, cpu or cuda; default: auto, the card where there is one", (a, v) => a with { Backend = Computing(v) }),
        new("--arithmetic", "KIND", "exact or fast (activations rounded to bfloat16 on the processor); default: exact", (a, v) => a with { Arithmetic = Kind(v) }),
        new("--weights", "KIND", "as-stored, int8 or int4 (quantised while loading, on the processor); default: as-stored", (a, v) => a with { Weights = Form(v) }),
        new("--weights-cache", "FOLDER", "keep quantised weights there for the next start", (a, v) => a with { WeightsCache = v }),
        new("--threads", "N", "threads that compute; default: the physical cores this process may use", (a, v) => a with { Threads = (int)Whole("--threads", v, 1, 1024) }),
        new("--describe", null, "say what the folder holds and what memory it needs, without loading weights, and exit", (a, _) => a with { Describe = true }),
        new("--help", null, "show this", (a, _) => a with { Help = true }),
    ];

    /// <summary>Throws <see cref="OptionException"/> with one sentence.</summary>
    public static ChatArguments Parse(IReadOnlyList<string> args)
    {
        var parsed = new ChatArguments();
        var given = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < args.Count; i++)
        {
            var (name, value) = args[i].Split('=', 2) is [{ Length: > 2 } left, var right] && left.StartsWith("--", StringComparison.Ordinal) ? (left, right) : (args[i], null);
            var option = Array.Find(Options, option => option.Name == (name is "-h" or "-?" ? "--help" : name))
                ?? throw new OptionException($"Unknown option '{Shortened(name)}'; --help lists the options.");
            if (!given.Add(option.Name))
            {
                throw new OptionException($"{option.Name} is given twice.");
            }

            if (option.Value is null && value is not null)
            {
                throw new OptionException($"{option.Name} takes no value.");
            }

            if (option.Value is not null && value is null)
            {
                value = ++i < args.Count ? args[i] : throw new OptionException($"{option.Name} needs a value: {option.Name} {option.Value}.");
            }

            parsed = option.Apply(parsed, value ?? string.Empty);
        }

        return parsed.Checked();
    }

    public static string HelpText => "StreamingChat: a local model answers in the console.\n\n" +
        string.Concat(Options.Select(option => $"  {option.Name + " " + option.Value,-20} {option.Help}\n")) +
        "\nCtrl+C ends an answer, Ctrl+D the program. Exit codes: 0 answered, 1 the answer failed, 2 wrong options, 3 the model cannot be loaded, 130 interrupted.";

    private ChatArguments Checked()
    {
        if (Prompt is not null && PromptIds is not null)
        {
            throw new OptionException("--prompt and --prompt-ids exclude each other.");
        }

        if (System is not null && (Raw || PromptIds is not null))
        {
            throw new OptionException("--system needs the chat template, which " + (Raw ? "--raw" : "--prompt-ids") + " leaves out.");
        }

        return this;
    }

    private static ComputeBackend Computing(string value) => value switch
    {
        "auto" => ComputeBackend.Auto,
        "cpu" => ComputeBackend.Cpu,
        "cuda" => ComputeBackend.Cuda,
        _ => throw new OptionException($"--backend can be auto, cpu or cuda, not '{Shortened(value)}'."),
    };

    private static Arithmetic Kind(string value) => value switch
    {
        "exact" => Arithmetic.Exact,
        "fast" => Arithmetic.Fast,
        _ => throw new OptionException($"--arithmetic can be exact or fast, not '{Shortened(value)}'."),
    };

    private static WeightFormat Form(string value) => value switch
    {
        "as-stored" => WeightFormat.AsStored,
        "int8" => WeightFormat.Int8,
        "int4" => WeightFormat.Int4,
        _ => throw new OptionException($"--weights can be as-stored, int8 or int4, not '{Shortened(value)}'."),
    };

    private static long Whole(string name, string text, long least, long most) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most
            ? value
            : throw new OptionException($"{name} must be a whole number{Range(least, most)}, not '{Shortened(text)}'.");

    private static string Range(long least, long most) => least == long.MinValue ? string.Empty
        : most >= int.MaxValue ? FormattableString.Invariant($" of at least {least}") : FormattableString.Invariant($" from {least} to {most}");

    private static float Real(string name, string text, float least, float most) =>
        float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most
            ? value
            : throw new OptionException(FormattableString.Invariant($"{name} must be a number from {(least == float.Epsilon ? "0 (exclusive)" : least)} to {most}, not '{Shortened(text)}'."));

    private static int[] TokenIds(string text) => [.. text.Split(',').Select(id => (int)Whole("--prompt-ids", id.Trim(), 0, int.MaxValue))];

    private static string Shortened(string text) => text.Length <= 80 ? text : text[..80];
}

/// <summary>The options are wrong; the message is one sentence for the user.</summary>
internal sealed class OptionException(string message) : Exception(message);
