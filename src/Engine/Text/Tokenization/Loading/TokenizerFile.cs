using System.Text.Json;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>The parts of a tokenizer.json: small ones as JSON, the two long lists of the model as places in the file.</summary>
internal sealed class TokenizerFile
{
    /// <summary>Largest file that is read: 256 MiB.</summary>
    public const long MaxBytes = 256L << 20;

    /// <summary>Deepest nesting of the JSON.</summary>
    public const int MaxDepth = 64;

    private static readonly JsonReaderOptions s_options = new() { MaxDepth = MaxDepth };

    private TokenizerFile(byte[] bytes) => Bytes = bytes;

    public byte[] Bytes { get; }
    public JsonElement? Normalizer { get; private set; }
    public JsonElement? PreTokenizer { get; private set; }
    public JsonElement? PostProcessor { get; private set; }
    public JsonElement? Decoder { get; private set; }

    /// <summary>Fields of <c>model</c> other than the two lists.</summary>
    public Dictionary<string, JsonElement> Model { get; } = new(StringComparer.Ordinal);

    public Range? AddedTokens { get; private set; }
    public Range? Vocabulary { get; private set; }
    public Range? Merges { get; private set; }

    public static TokenizerFile Read(string path)
    {
        var length = new FileInfo(path).Length;
        if (length > MaxBytes)
        {
            throw TokenizerErrors.Format("TooLarge", $"tokenizer.json has {length} bytes; the limit is {MaxBytes}.");
        }

        return Parse(File.ReadAllBytes(path));
    }

    public static TokenizerFile Parse(byte[] bytes)
    {
        var file = new TokenizerFile(bytes is [0xEF, 0xBB, 0xBF, ..] ? bytes[3..] : bytes);
        try
        {
            file.Scan();
        }
        catch (JsonException e)
        {
            throw InvalidJson(e);
        }
        catch (InvalidOperationException e)
        {
            throw TokenizerErrors.Format("InvalidJson", "tokenizer.json: a property name or string holds a lone surrogate or invalid UTF-8.", e);
        }

        return file;
    }

    public Utf8JsonReader ReaderOf(Range part) => new(Bytes.AsSpan(part), s_options);

    public static TokenizerFormatException InvalidJson(JsonException e)
        => TokenizerErrors.Format("InvalidJson", $"tokenizer.json is not valid JSON at line {(e.LineNumber ?? 0) + 1}, byte {e.BytePositionInLine ?? 0}, or nests deeper than {MaxDepth}.", e);

    private void Scan()
    {
        var reader = new Utf8JsonReader(Bytes, s_options);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw TokenizerErrors.Format("InvalidJson", "tokenizer.json does not hold a JSON object.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            if (name == "model")
            {
                ScanModel(ref reader);
                continue;
            }

            var part = Skip(ref reader);
            switch (name)
            {
                case "version":
                    var version = Document(part);
                    if (version?.ValueKind != JsonValueKind.String || !version.Value.ValueEquals("1.0"))
                    {
                        throw TokenizerErrors.Unsupported("version", version?.GetRawText() ?? "null", "\"1.0\"");
                    }

                    break;
                case "added_tokens":
                    AddedTokens = part;
                    break;
                case "normalizer":
                    Normalizer = Document(part);
                    break;
                case "pre_tokenizer":
                    PreTokenizer = Document(part);
                    break;
                case "post_processor":
                    PostProcessor = Document(part);
                    break;
                case "decoder":
                    Decoder = Document(part);
                    break;
                default:
                    break;
            }
        }

        // Anything after the object is an error too.
        while (reader.Read())
        {
        }
    }

    private void ScanModel(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw TokenizerErrors.Format("InvalidField", $"tokenizer.json: model is {reader.TokenType}, not an object.");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            var part = Skip(ref reader);
            switch (name)
            {
                case "vocab":
                    Vocabulary = part;
                    break;
                case "merges":
                    Merges = part;
                    break;
                default:
                    if (Document(part) is { } value)
                    {
                        Model[name] = value;
                    }

                    break;
            }
        }
    }

    private static Range Skip(ref Utf8JsonReader reader)
    {
        reader.Read();
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        return start..(int)reader.BytesConsumed;
    }

    private JsonElement? Document(Range part)
    {
        var reader = ReaderOf(part);
        using var document = JsonDocument.ParseValue(ref reader);
        return document.RootElement.ValueKind == JsonValueKind.Null ? null : document.RootElement.Clone();
    }
}
