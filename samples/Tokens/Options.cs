namespace KvPrefetch.Samples.Tokens;

/// <summary>What the command line asks for.</summary>
internal sealed record Options
{
    public const string Usage = """
        Tokens: shows how a model's tokenizer cuts a text.

          Tokens --model DIR TEXT       prints the tokens of TEXT in colour, each with its id
          Tokens --model DIR            the same for standard input
          Tokens --model DIR --jsonl    reads lines {"text": ...} from standard input and writes, for each, {"ids": [...], "with_special": [...], "decoded": ...}

        DIR is a Hugging Face model folder with tokenizer.json (or tokenizer.model).
        """;

    public string? Model { get; init; }
    public bool Jsonl { get; init; }
    public bool Help { get; init; }
    public string? Text { get; init; }

    /// <summary>Null, with the reason, where the arguments make no sense.</summary>
    public static Options? Parse(string[] args, out string error)
    {
        var options = new Options();
        error = "";
        for (var i = 0; i < args.Length; i++)
        {
            switch (args[i])
            {
                case "--model" when i + 1 < args.Length:
                    options = options with { Model = args[++i] };
                    break;
                case "--jsonl":
                    options = options with { Jsonl = true };
                    break;
                case "--help" or "-h":
                    options = options with { Help = true };
                    break;
                case var option when option.StartsWith("--", StringComparison.Ordinal):
                    error = $"Unknown option, or an option without its value: {option}";
                    return null;
                default:
                    options = options with { Text = options.Text is null ? args[i] : options.Text + " " + args[i] };
                    break;
            }
        }

        return options;
    }
}
