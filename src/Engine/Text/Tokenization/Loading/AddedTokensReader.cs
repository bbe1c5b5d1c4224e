using System.Text;
using System.Text.Json;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Reads <c>added_tokens</c>.</summary>
internal static class AddedTokensReader
{
    /// <summary>The list as it stands, its declared ids included.</summary>
    public static List<AddedToken> Read(TokenizerFile file)
    {
        var tokens = new List<AddedToken>();
        if (file.AddedTokens is not { } list)
        {
            return tokens;
        }

        var scanner = file.ScannerAt(list.Start);
        var root = scanner.TakeDocument();
        if (root.ValueKind == JsonValueKind.Null)
        {
            return tokens;
        }

        if (root.ValueKind != JsonValueKind.Array)
        {
            throw TokenizerErrors.Format("InvalidField", $"tokenizer.json: added_tokens is {root.ValueKind}, not an array.");
        }

        foreach (var element in root.EnumerateArray())
        {
            const string Where = "added_tokens";
            var content = JsonFields.String(element, "content", Where);
            var declared = JsonFields.Int(element, "id", Where);
            if (content.Length is 0 or > AddedTokenMatcher.MaxContent)
            {
                throw TokenizerErrors.Format("InvalidAddedToken", $"tokenizer.json: added token {declared} has {content.Length} characters; 1 to {AddedTokenMatcher.MaxContent} are possible.");
            }

            tokens.Add(new AddedToken(
                declared,
                content,
                JsonFields.Bool(element, "single_word", Where),
                JsonFields.Bool(element, "lstrip", Where),
                JsonFields.Bool(element, "rstrip", Where),
                JsonFields.Bool(element, "normalized", Where),
                JsonFields.Bool(element, "special", Where)));
        }

        return tokens;
    }

    /// <summary>The tokens with the ids that the reference gives them: that of the vocabulary where the text is in it, else the next free one in the order of the list.</summary>
    public static List<AddedToken> WithIds(IEnumerable<AddedToken> tokens, Vocabulary vocabulary)
    {
        var idOf = new Dictionary<string, int>(StringComparer.Ordinal);
        var byId = new Dictionary<int, AddedToken>();
        var next = vocabulary.Count;
        foreach (var token in tokens)
        {
            if (!idOf.TryGetValue(token.Content, out var id))
            {
                id = vocabulary.Find(Encoding.UTF8.GetBytes(token.Content));
                id = id >= 0 ? id : next++;
                idOf.Add(token.Content, id);
            }

            byId[id] = token with { Id = id };
        }

        return [.. byId.Values];
    }

    /// <summary>Added tokens that the vocabulary spells too but ordinary text must not give. The reference recognises them before its model sees the text, so they never come out of
    /// its model either. Not kept: single characters and white space, which text needs, and what the reference leaves to the model within a longer word.</summary>
    public static IEnumerable<int> Reserved(IEnumerable<AddedToken> tokens, Vocabulary vocabulary) => tokens
        .Where(token => vocabulary.Contains(token.Id) && (token.Special || !token.SingleWord) && token.Content.EnumerateRunes().Count() > 1)
        .Where(token => token.Content.Any(c => c != '\u2581' && !CodePoints.Has(c, CodePointFlags.Space)))
        .Select(token => token.Id);
}
