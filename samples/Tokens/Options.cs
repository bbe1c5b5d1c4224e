namespace KvPrefetch.Samples.Tokens;

/// <summary>What the command line asks for.</summary>
internal sealed record Options
{
    public const string Usage = """
        Tokens: shows how a model's tokenizer cuts a text.

          Tokens --model DIR TEXT       prints the tokens of TEXT in colour, each with its id
          Tokens --model DIR            the same for standard input
          Tokens --model DIR --chat TEXT    the tokens of a chat with TEXT as the user's message, in the model's own template; with no TEXT,
                                        standard input is a conversation: {"messages": [...], "tools": [...]} or the messages alone
          Tokens --template FILE.jinja --conversations FILE.json [--now 2026-03-14T15:09:26]
                                        renders every conversation of the file: {name: {"text": ...} or {"error": ...}}
          Tokens --model DIR --constrain [--masks]
                                        reads lines {"schema": ...} or {"regex": ...} with "texts": [...] and writes, for each, {"error": null or "CODE: sentence",
                                        "compileUs": n, "results": [{"accepted": bool, "tokens": n, "maskUs": mean, "maxMaskUs": n}]}; with --masks each result has
                                        "steps": [{"end": bool, "count": n, "sha256": of the allowed ids}], one before each token and one after the last
          Tokens --model DIR --jsonl    reads lines {"text": ...} from standard input and writes, for each, {"ids": [...], "with_special": [...], "decoded": ...}

        DIR is a Hugging Face model folder with tokenizer.json (or tokenizer.model).
        """;

    public string? Model { get; init; }
    public bool Jsonl { get; init; }
    public bool Chat { get; init; }
    public bool Constrain { get; init; }
    public bool Masks { get; init; }
    public string? Template { get; init; }
    public string? Conversations { get; init; }

    /// <summary>Date and time that templates are told; null is now.</summary>
    public string? Now { get; init; }
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
                case "--template" when i + 1 < args.Length:
                    options = options with { Template = args[++i] };
                    break;
                case "--conversations" when i + 1 < args.Length:
                    options = options with { Conversations = args[++i] };
                    break;
                case "--now" when i + 1 < args.Length:
                    options = options with { Now = args[++i] };
                    break;
                case "--chat":
                    options = options with { Chat = true };
                    break;
                case "--constrain":
                    options = options with { Constrain = true };
                    break;
                case "--masks":
                    options = options with { Masks = true };
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

        if (options.Template is null != options.Conversations is null)
        {
            error = "--template and --conversations go together.";
            return null;
        }

        return options;
    }
}
