using System.Text;
using System.Text.Json;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Builds the model of a tokenizer.json: first its merges, then the model itself.</summary>
internal sealed class ModelReader
{
    private const string Where = "model";

    private readonly TokenizerFile _file;
    private readonly string _type;
    private readonly Vocabulary _vocabulary;
    private readonly double[] _scores;

    /// <param name="file">The file.</param>
    /// <param name="vocabulary">Its tokens.</param>
    /// <param name="scores">Their scores, where it has any.</param>
    public ModelReader(TokenizerFile file, Vocabulary vocabulary, double[]? scores)
    {
        _file = file;
        _vocabulary = vocabulary;
        _scores = scores ?? [];
        // Old files do not say which model they have.
        _type = Text(file, "type")
            ?? (file.Merges is not null ? "BPE"
                : file.Model.ContainsKey("max_input_chars_per_word") ? "WordPiece"
                : scores is not null ? "Unigram" : "WordLevel");
        if (_type is not ("BPE" or "Unigram" or "WordPiece" or "WordLevel"))
        {
            throw TokenizerErrors.Unsupported(Where, _type, "BPE, Unigram, WordLevel, WordPiece");
        }

        if ((_type == "Unigram") != (scores is not null))
        {
            throw TokenizerErrors.Format("InvalidVocabulary", $"tokenizer.json: model.vocab of {_type} is {(scores is null ? "an object, not a list with scores" : "an array, not an object")}.");
        }
    }

    /// <summary>The merges of a BPE; none for another model.</summary>
    public MergeList ReadMerges()
        => _type != "BPE" ? default
            : _file.Merges is { } list ? MergesReader.Read(_file, list, _vocabulary, Encoding.UTF8.GetByteCount(Text(_file, "continuing_subword_prefix") ?? ""))
            : throw TokenizerErrors.Format("InvalidField", "tokenizer.json: model.merges is missing.");

    /// <param name="merges">What <see cref="ReadMerges"/> gave.</param>
    /// <param name="endsInBytes">The pre-tokenizer's last step is byte-level.</param>
    public TokenModel Build(MergeList merges, bool endsInBytes) => _type switch
    {
        "BPE" => Bpe(merges, endsInBytes),
        "Unigram" => Unigram(),
        "WordPiece" => new WordPieceModel(
            _vocabulary,
            RequiredText("unk_token"),
            RequiredText("continuing_subword_prefix"),
            _file.Model.TryGetValue("max_input_chars_per_word", out var max) ? JsonFields.Number(max, "max_input_chars_per_word", Where) : 100),
        _ => new WordLevelModel(_vocabulary, RequiredText("unk_token")),
    };

    private BpeModel Bpe(MergeList merges, bool endsInBytes)
    {
        if (_file.Model.TryGetValue("dropout", out var dropout) && !(dropout.ValueKind == JsonValueKind.Number && dropout.TryGetDouble(out var rate) && rate == 0))
        {
            throw TokenizerErrors.Unsupported("model.dropout", dropout.GetRawText(), "null and 0");
        }

        var options = new BpeOptions
        {
            UnknownToken = Text(_file, "unk_token"),
            ContinuingSubwordPrefix = Text(_file, "continuing_subword_prefix"),
            EndOfWordSuffix = Text(_file, "end_of_word_suffix"),
            FuseUnknown = Flag("fuse_unk"),
            ByteFallback = Flag("byte_fallback"),
            IgnoreMerges = Flag("ignore_merges"),
            BytesAreSymbols = endsInBytes,
        };
        return new BpeModel(_vocabulary, new MergeTable(merges, _vocabulary), options);
    }

    private UnigramModel Unigram()
    {
        var unknown = _file.Model.TryGetValue("unk_id", out var id) ? JsonFields.Number(id, "unk_id", Where) : -1;
        return unknown < _scores.Length ? new UnigramModel(_vocabulary, _scores, unknown, Flag("byte_fallback"))
            : throw JsonFields.Wrong("unk_id", Where, $"is {unknown}, but the vocabulary has {_scores.Length} tokens");
    }

    /// <summary>True where the options need the characters of the byte alphabet, not bytes.</summary>
    public static bool HasAffixes(TokenizerFile file)
        => !string.IsNullOrEmpty(Text(file, "continuing_subword_prefix")) || !string.IsNullOrEmpty(Text(file, "end_of_word_suffix"));

    private static string? Text(TokenizerFile file, string name)
        => !file.Model.TryGetValue(name, out var value) ? null
            : value.ValueKind == JsonValueKind.String ? JsonFields.Text(value, name, Where)
            : throw JsonFields.Wrong(name, Where, $"is {value.ValueKind}, not a string");

    private string RequiredText(string name) => Text(_file, name) ?? throw JsonFields.Wrong(name, Where, "is missing");

    private bool Flag(string name)
        => _file.Model.TryGetValue(name, out var value)
            && (value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw JsonFields.Wrong(name, Where, $"is {value.ValueKind}, not true or false"));
}
