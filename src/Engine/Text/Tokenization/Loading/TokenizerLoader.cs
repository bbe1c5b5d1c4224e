namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>The parts that a tokenizer runs on.</summary>
internal sealed record TokenizerParts
{
    public required TokenModel Model { get; init; }
    public Normalizer? Normalizer { get; init; }
    public PreTokenizer? PreTokenizer { get; init; }
    public required PostProcessor PostProcessor { get; init; }
    public required AddedVocabulary Added { get; init; }
    public required DecodePipeline Decoding { get; init; }
}

/// <summary>From tokenizer.json to <see cref="TokenizerParts"/>, on two threads.</summary>
internal sealed class TokenizerLoader
{
    private readonly TokenizerFile _file;
    private readonly TaskCompletionSource<JsonList?> _vocabularyFound = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Vocabulary? _vocabulary;
    private double[]? _scores;
    private Normalizer? _normalizer;
    private PreTokenizer? _preTokenizer;
    private PostProcessor _postProcessor = PostProcessor.None;
    private List<TokenDecoder> _decoder = [];
    private List<AddedToken> _addedTokens = [];
    private bool _endsInBytes;

    private TokenizerLoader(byte[] json) => _file = new TokenizerFile(json) { VocabularyFound = list => _vocabularyFound.TrySetResult(list) };

    /// <param name="json">The file.</param>
    public static TokenizerParts Load(byte[] json)
    {
        try
        {
            return new TokenizerLoader(json).Build();
        }
        catch (InvalidOperationException e)
        {
            throw TokenizerErrors.LoneSurrogate(e);
        }
    }

    private TokenizerParts Build()
    {
        TwoThreads.Run(_file.Bytes.Length, ReadFile, ReadVocabulary);
        var vocabulary = _vocabulary ?? throw TokenizerErrors.Format("InvalidField", "tokenizer.json: model.vocab is missing.");
        var reader = new ModelReader(_file, vocabulary, _scores);
        _addedTokens = AddedTokensReader.WithIds(_addedTokens, vocabulary);
        vocabulary.Reserve(AddedTokensReader.Reserved(_addedTokens, vocabulary));
        var merges = reader.ReadMerges();
        TokenModel? model = null;
        AddedVocabulary? added = null;
        DecodePipeline? decoding = null;
        TwoThreads.Run(
            _file.Bytes.Length,
            () => model = reader.Build(merges, _endsInBytes),
            () =>
            {
                added = new AddedVocabulary(_addedTokens, _normalizer, vocabulary);
                decoding = new DecodePipeline(vocabulary, added, _decoder);
            });
        return new TokenizerParts
        {
            Model = model!,
            Normalizer = _normalizer,
            PreTokenizer = _preTokenizer,
            PostProcessor = _postProcessor,
            Added = added!,
            Decoding = decoding!,
        };
    }

    /// <summary>All but the vocabulary and the merges.</summary>
    private void ReadFile()
    {
        try
        {
            _file.Scan();
        }
        finally
        {
            _vocabularyFound.TrySetResult(null);
        }

        _preTokenizer = PipelineReader.PreTokenizer(_file.PreTokenizer, _file.Merges is not null && !ModelReader.HasAffixes(_file), out _endsInBytes);
        _normalizer = NormalizerReader.Read(_file.Normalizer);
        _postProcessor = PipelineReader.PostProcessor(_file.PostProcessor);
        _decoder = PipelineReader.Decoder(_file.Decoder);
        _addedTokens = AddedTokensReader.Read(_file);
    }

    private void ReadVocabulary()
    {
        _file.CheckText();
        if (_vocabularyFound.Task.GetAwaiter().GetResult() is { } list)
        {
            (_vocabulary, _scores) = VocabularyReader.Read(_file, list);
        }
    }
}
