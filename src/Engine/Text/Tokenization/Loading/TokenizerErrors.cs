namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>The errors of a tokenizer's files, with their sentences.</summary>
internal static class TokenizerErrors
{
    public static TokenizerFormatException Format(string code, string message, Exception? inner = null) => new(code, message, inner);

    public static UnsupportedModelException Unsupported(string field, string name, string supported)
        => new($"tokenizer.json: {field} '{Shown(name)}' is not supported; supported are {supported}.", field);

    public static TokenizerFormatException LoneSurrogate(InvalidOperationException? inner = null) => Format("InvalidJson", "tokenizer.json: a string holds a lone surrogate.", inner);

    /// <summary>At most 80 characters of someone's text, control characters as dots.</summary>
    public static string Shown(string text)
    {
        var cut = text.Length > 80 ? string.Concat(text.AsSpan(0, 77), "...") : text;
        return string.Create(cut.Length, cut, static (span, source) =>
        {
            for (var i = 0; i < span.Length; i++)
            {
                span[i] = char.IsControl(source[i]) || char.IsSurrogate(source[i]) ? '.' : source[i];
            }
        });
    }
}
