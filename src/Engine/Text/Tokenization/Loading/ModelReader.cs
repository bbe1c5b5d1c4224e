using System.Text;
using System.Text.Json;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Builds the model of a tokenizer.json.</summary>
internal static class ModelReader
{
    private const string Where = "model";

    /// <param name="file">The file.</param>
    /// <param name="endsInBytes">The pre-tokenizer's last step is byte-level.</param>
    public static TokenModel Read(TokenizerFile file, bool endsInBytes)
    {
        if (file.Vocabulary is not { } vocab)
        {
            throw TokenizerErrors.Format("InvalidField", "tokenizer.json: model.vocab is missing.");
        }

        // Old files do not say which model they have.
        var type = Text(file, "type")
            ?? (file.Merges is not null ? "BPE"
                : file.Model.ContainsKey("max_input_chars_per_word") ? "WordPiece"
                : file.ReaderOf(vocab) is var reader && reader.Read() && reader.TokenType == JsonTokenType.StartArray ? "Unigram" : "WordLevel");
        switch (type)
        {
            case "BPE":
                return Bpe(file, vocab, endsInBytes);
            case "Unigram":
                return Unigram(file, vocab);
            case "WordPiece":
                return new WordPieceModel(
                    Reserved(file, VocabularyReader.ReadObject(file, vocab)),
                    Text(file, "unk_token") ?? throw JsonFields.Wrong("unk_token", Where, "is missing"),
                    Text(file, "continuing_subword_prefix") ?? throw JsonFields.Wrong("continuing_subword_prefix", Where, "is missing"),
                    file.Model.TryGetValue("max_input_chars_per_word", out var max) ? JsonFields.Number(max, "max_input_chars_per_word", Where) : 100);
            case "WordLevel":
                return new WordLevelModel(Reserved(file, VocabularyReader.ReadObject(file, vocab)), Text(file, "unk_token") ?? throw JsonFields.Wrong("unk_token", Where, "is missing"));
            default:
                throw TokenizerErrors.Unsupported(Where, type, "BPE, Unigram, WordLevel, WordPiece");
        }
    }

    /// <summary>Keeps added tokens that the vocabulary spells too from coming out of ordinary text. The reference recognises them before its model sees the text, so they never
    /// come out of its model either. Not kept: single characters and white space, which text needs, and what the reference leaves to the model within a longer word.</summary>
    private static Vocabulary Reserved(TokenizerFile file, Vocabulary vocabulary)
    {
        vocabulary.Reserve(AddedTokensReader.Read(file, vocabulary)
            .Where(token => vocabulary.Contains(token.Id) && (token.Special || !token.SingleWord) && token.Content.EnumerateRunes().Count() > 1)
            .Where(token => token.Content.Any(c => c != '\u2581' && !CodePoints.Has(c, CodePointFlags.Space)))
            .Select(token => token.Id));
        return vocabulary;
    }

    private static BpeModel Bpe(TokenizerFile file, Range vocab, bool endsInBytes)
    {
        if (file.Merges is not { } merges)
        {
            throw TokenizerErrors.Format("InvalidField", "tokenizer.json: model.merges is missing.");
        }

        if (file.Model.TryGetValue("dropout", out var dropout) && !(dropout.ValueKind == JsonValueKind.Number && dropout.TryGetDouble(out var rate) && rate == 0))
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
            BytesAreSymbols = endsInBytes,
        };
        var vocabulary = Reserved(file, VocabularyReader.ReadObject(file, vocab));
        var prefixLength = Encoding.UTF8.GetByteCount(options.ContinuingSubwordPrefix ?? "");
        return new BpeModel(vocabulary, VocabularyReader.ReadMerges(file, merges, vocabulary, prefixLength), options);
    }

    private static UnigramModel Unigram(TokenizerFile file, Range vocab)
    {
        var (vocabulary, scores) = VocabularyReader.ReadScored(file, vocab);
        var unknown = file.Model.TryGetValue("unk_id", out var id) ? JsonFields.Number(id, "unk_id", Where) : -1;
        if (unknown >= scores.Length)
        {
            throw JsonFields.Wrong("unk_id", Where, $"is {unknown}, but the vocabulary has {scores.Length} tokens");
        }

        return new UnigramModel(Reserved(file, vocabulary), scores, unknown, Flag(file, "byte_fallback"));
    }

    /// <summary>True where the options need the characters of the byte alphabet, not bytes.</summary>
    public static bool HasAffixes(TokenizerFile file)
        => !string.IsNullOrEmpty(Text(file, "continuing_subword_prefix")) || !string.IsNullOrEmpty(Text(file, "end_of_word_suffix"));

    private static string? Text(TokenizerFile file, string name)
        => !file.Model.TryGetValue(name, out var value) ? null
            : value.ValueKind == JsonValueKind.String ? JsonFields.Text(value, name, Where)
            : throw JsonFields.Wrong(name, Where, $"is {value.ValueKind}, not a string");

    private static bool Flag(TokenizerFile file, string name)
        => file.Model.TryGetValue(name, out var value)
            && (value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw JsonFields.Wrong(name, Where, $"is {value.ValueKind}, not true or false"));
}
