namespace KvPrefetch.AI;

/// <summary>Someone else's text in our messages: quoted, at most 80 characters, on one line.</summary>
internal static class Quoted
{
    private const int MaxCharacters = 80;

    public static string Text(string text)
    {
        var length = Math.Min(text.Length, MaxCharacters);
        if (length < text.Length && char.IsHighSurrogate(text[length - 1]))
        {
            length--;
        }

        var shown = string.Create(length, text, static (span, source) =>
        {
            for (var i = 0; i < span.Length; i++)
            {
                span[i] = char.IsControl(source[i]) ? ' ' : source[i];
            }
        });
        return length < text.Length ? $"'{shown}...'" : $"'{shown}'";
    }
}
