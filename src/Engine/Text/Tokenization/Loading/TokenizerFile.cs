using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>The parts of a tokenizer.json: small ones as JSON, the long lists as places in the file.</summary>
internal sealed class TokenizerFile
{
    /// <summary>Largest file that is read: 256 MiB.</summary>
    public const long MaxBytes = 256L << 20;

    /// <summary>Deepest nesting of the JSON.</summary>
    public const int MaxDepth = 64;

    public TokenizerFile(byte[] bytes) => Bytes = bytes is [0xEF, 0xBB, 0xBF, ..] ? bytes[3..] : bytes;

    public byte[] Bytes { get; }
    public JsonElement? Normalizer { get; private set; }
    public JsonElement? PreTokenizer { get; private set; }
    public JsonElement? PostProcessor { get; private set; }
    public JsonElement? Decoder { get; private set; }

    /// <summary>Fields of <c>model</c> other than the two lists.</summary>
    public Dictionary<string, JsonElement> Model { get; } = new(StringComparer.Ordinal);

    public JsonList? AddedTokens { get; private set; }
    public JsonList? Vocabulary { get; private set; }
    public JsonList? Merges { get; private set; }

    /// <summary>Called by <see cref="Scan"/> when it has stepped over the vocabulary, so that another thread can read it meanwhile.</summary>
    public Action<JsonList>? VocabularyFound { get; init; }

    public static byte[] Read(string path)
    {
        var length = new FileInfo(path).Length;
        if (length > MaxBytes)
        {
            throw TokenizerErrors.Format("TooLarge", $"tokenizer.json has {length} bytes; the limit is {MaxBytes}.");
        }

        return File.ReadAllBytes(path);
    }

    public JsonScanner ScannerAt(int offset) => new(Bytes, offset);

    /// <exception cref="TokenizerFormatException">The file is not UTF-8.</exception>
    public void CheckText()
    {
        if (!Utf8.IsValid(Bytes))
        {
            throw TokenizerErrors.Format("InvalidJson", "tokenizer.json is not valid UTF-8.");
        }
    }

    /// <summary>Finds the parts.</summary>
    public void Scan()
    {
        var scanner = ScannerAt(0);
        if (scanner.Peek() != '{')
        {
            throw TokenizerErrors.Format("InvalidJson", "tokenizer.json does not hold a JSON object.");
        }

        for (var more = scanner.TakeOpening((byte)'{', (byte)'}'); more; more = scanner.TakeSeparator((byte)'}'))
        {
            switch (Encoding.UTF8.GetString(scanner.TakeName()))
            {
                case "version":
                    var version = scanner.TakeDocument();
                    if (version.ValueKind != JsonValueKind.String || !version.ValueEquals("1.0"))
                    {
                        throw TokenizerErrors.Unsupported("version", version.GetRawText(), "\"1.0\"");
                    }

                    break;
                case "added_tokens":
                    AddedTokens = scanner.TakeList();
                    break;
                case "normalizer":
                    Normalizer = NullToAbsent(scanner.TakeDocument());
                    break;
                case "pre_tokenizer":
                    PreTokenizer = NullToAbsent(scanner.TakeDocument());
                    break;
                case "post_processor":
                    PostProcessor = NullToAbsent(scanner.TakeDocument());
                    break;
                case "decoder":
                    Decoder = NullToAbsent(scanner.TakeDocument());
                    break;
                case "model":
                    ScanModel(ref scanner);
                    break;
                default:
                    scanner.TakeDocument();
                    break;
            }
        }

        scanner.Peek();
        if (scanner.At < Bytes.Length)
        {
            throw scanner.Invalid();
        }
    }

    private void ScanModel(ref JsonScanner scanner)
    {
        if (scanner.Peek() != '{')
        {
            throw TokenizerErrors.Format("InvalidField", $"tokenizer.json: model is {scanner.TakeDocument().ValueKind}, not an object.");
        }

        for (var more = scanner.TakeOpening((byte)'{', (byte)'}'); more; more = scanner.TakeSeparator((byte)'}'))
        {
            var name = Encoding.UTF8.GetString(scanner.TakeName());
            switch (name)
            {
                case "vocab":
                    Vocabulary = scanner.TakeList();
                    VocabularyFound?.Invoke(Vocabulary.Value);
                    break;
                case "merges":
                    Merges = scanner.TakeList();
                    break;
                default:
                    if (NullToAbsent(scanner.TakeDocument()) is { } value)
                    {
                        Model[name] = value;
                    }

                    break;
            }
        }
    }

    private static JsonElement? NullToAbsent(JsonElement value) => value.ValueKind == JsonValueKind.Null ? null : value;
}
