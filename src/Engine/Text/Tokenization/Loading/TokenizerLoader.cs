using System.Text;
using System.Text.Json;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>The parts that a tokenizer runs on.</summary>
internal sealed record TokenizerParts
{
    public required TokenModel Model { get; init; }
    public Normalizer? Normalizer { get; init; }
    public PreTokenizer? PreTokenizer { get; init; }
    public required PostProcessor PostProcessor { get; init; }
    public required IReadOnlyList<TokenDecoder> Decoder { get; init; }
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];
}

/// <summary>From tokenizer.json to <see cref="TokenizerParts"/>.</summary>
internal static class TokenizerLoader
{
    public static TokenizerParts Load(TokenizerFile file)
    {
        try
        {
            return Build(file);
        }
        catch (JsonException e)
        {
            throw TokenizerFile.InvalidJson(e);
        }
        catch (InvalidOperationException e)
        {
            throw TokenizerErrors.Format("InvalidJson", "tokenizer.json: a string holds a lone surrogate or invalid UTF-8.", e);
        }
    }

    private static TokenizerParts Build(TokenizerFile file)
    {
        var preTokenizer = PipelineReader.PreTokenizer(file.PreTokenizer, out var endsInBytes);
        var model = Model(file, endsInBytes);
        return new TokenizerParts
        {
            Model = model,
            Normalizer = file.Normalizer is null ? null : throw TokenizerErrors.Unsupported("normalizer", "any", "none"),
            PreTokenizer = preTokenizer,
            PostProcessor = PipelineReader.PostProcessor(file.PostProcessor),
            Decoder = PipelineReader.Decoder(file.Decoder),
            AddedTokens = AddedTokensReader.Read(file, model.Vocabulary),
        };
    }

    private static BpeModel Model(TokenizerFile file, bool endsInBytes)
    {
        const string Where = "model";
        if (file.Vocabulary is not { } vocab)
        {
            throw TokenizerErrors.Format("InvalidField", "tokenizer.json: model.vocab is missing.");
        }

        var type = Text(file, "type") ?? (file.Merges is null ? "WordPiece" : "BPE");
        if (type != "BPE")
        {
            throw TokenizerErrors.Unsupported(Where, type, "BPE");
        }

        if (file.Merges is not { } merges)
        {
            throw TokenizerErrors.Format("InvalidField", "tokenizer.json: model.merges is missing.");
        }

        if (file.Model.TryGetValue("dropout", out var dropout) && !(dropout.ValueKind == JsonValueKind.Number && dropout.GetDouble() == 0))
        {
            throw TokenizerErrors.Unsupported("model.dropout", dropout.GetRawText(), "null and 0");
        }

        var options = new BpeOptions
        {
            UnknownToken = Text(file, "unk_token"),
            ContinuingSubwordPrefix = Text(file, "continuing_subword_prefix"),
            EndOfWordSuffix = Text(file, "end_of_word_suffix"),
            FuseUnknown = Flag(file, "fuse_unk"),
            ByteFallback = Flag(file, "byte_fallback"),
            IgnoreMerges = Flag(file, "ignore_merges"),
        };
        // Affixes go around characters of the byte alphabet, so with them the characters are written out.
        options = options with { BytesAreSymbols = endsInBytes };
        var vocabulary = VocabularyReader.ReadObject(file, vocab);
        var prefixLength = Encoding.UTF8.GetByteCount(options.ContinuingSubwordPrefix ?? "");
        return new BpeModel(vocabulary, VocabularyReader.ReadMerges(file, merges, vocabulary, prefixLength), options);
    }

    private static string? Text(TokenizerFile file, string name)
        => !file.Model.TryGetValue(name, out var value) ? null
            : value.ValueKind == JsonValueKind.String ? JsonFields.Text(value, name, "model")
            : throw JsonFields.Wrong(name, "model", $"is {value.ValueKind}, not a string");

    private static bool Flag(TokenizerFile file, string name)
        => file.Model.TryGetValue(name, out var value)
            && (value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw JsonFields.Wrong(name, "model", $"is {value.ValueKind}, not true or false"));
}
