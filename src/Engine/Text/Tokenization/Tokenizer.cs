namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>A model's tokenizer.json. Safe for concurrent use.</summary>
public sealed class Tokenizer
{
    /// <summary>Reads tokenizer.json (and tokenizer_config.json) of the folder; null where it has none.</summary>
    public static Tokenizer? TryLoad(string folder) => throw new NotSupportedException();

    /// <summary>Highest id plus one, added tokens included.</summary>
    public int VocabularySize => throw new NotSupportedException();

    /// <summary>Ids of a text in which added tokens (control tokens too) are recognised, as the reference library does.</summary>
    public int[] Encode(string text, bool addSpecialTokens = false) => throw new NotSupportedException();

    /// <summary>Ids of a rendered prompt: added tokens are recognised in template text only, everything else is tokenized as one running text.</summary>
    public int[] Encode(IReadOnlyList<TextSpan> spans) => throw new NotSupportedException();

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false) => throw new NotSupportedException();
    public int CountTokens(string text) => throw new NotSupportedException();

    /// <summary>The id of a token (ordinary or added) by its exact text.</summary>
    public bool TryGetId(string token, out int id) => throw new NotSupportedException();

    /// <summary>True for added tokens marked special.</summary>
    public bool IsSpecial(int id) => throw new NotSupportedException();

    public StreamingDetokenizer CreateDetokenizer(bool skipSpecialTokens = true) => throw new NotSupportedException();
}

/// <summary>Turns ids into text one by one and never emits half a character.</summary>
public sealed class StreamingDetokenizer
{
    /// <summary>Text that became certain with this id; may be empty.</summary>
    public string Append(int id) => throw new NotSupportedException();

    /// <summary>What was held back, at the end.</summary>
    public string Flush() => throw new NotSupportedException();
}
