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
        var preTokenizer = PipelineReader.PreTokenizer(file.PreTokenizer, file.Merges is not null && !ModelReader.HasAffixes(file), out var endsInBytes);
        var model = ModelReader.Read(file, endsInBytes);
        return new TokenizerParts
        {
            Model = model,
            Normalizer = NormalizerReader.Read(file.Normalizer),
            PreTokenizer = preTokenizer,
            PostProcessor = PipelineReader.PostProcessor(file.PostProcessor),
            Decoder = PipelineReader.Decoder(file.Decoder),
            AddedTokens = AddedTokensReader.Read(file, model.Vocabulary),
        };
    }
}
