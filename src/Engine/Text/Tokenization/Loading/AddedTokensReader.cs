using System.Text;
using System.Text.Json;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Reads <c>added_tokens</c>. Ids are given as the reference gives them: that of the vocabulary where the text is in it, else the next free one in the order of the list.</summary>
internal static class AddedTokensReader
{
    public static List<AddedToken> Read(TokenizerFile file, Vocabulary vocabulary)
    {
        if (file.AddedTokens is not { } part)
        {
            return [];
        }

        using var document = JsonDocument.Parse(file.Bytes.AsMemory(part), new JsonDocumentOptions { MaxDepth = TokenizerFile.MaxDepth });
        if (document.RootElement.ValueKind == JsonValueKind.Null)
        {
            return [];
        }

        if (document.RootElement.ValueKind != JsonValueKind.Array)
        {
            throw TokenizerErrors.Format("InvalidField", $"tokenizer.json: added_tokens is {document.RootElement.ValueKind}, not an array.");
        }

        var idOf = new Dictionary<string, int>(StringComparer.Ordinal);
        var byId = new Dictionary<int, AddedToken>();
        var next = vocabulary.Count;
        foreach (var element in document.RootElement.EnumerateArray())
        {
            const string Where = "added_tokens";
            var content = JsonFields.String(element, "content", Where);
            var declared = JsonFields.Int(element, "id", Where);
            if (content.Length is 0 or > AddedTokenMatcher.MaxContent)
            {
                throw TokenizerErrors.Format("InvalidAddedToken", $"tokenizer.json: added token {declared} has {content.Length} characters; 1 to {AddedTokenMatcher.MaxContent} are possible.");
            }

            if (!idOf.TryGetValue(content, out var id))
            {
                id = vocabulary.Find(Encoding.UTF8.GetBytes(content));
                id = id >= 0 ? id : next++;
                idOf.Add(content, id);
            }

            var token = new AddedToken(
                id,
                content,
                JsonFields.Bool(element, "single_word", Where),
                JsonFields.Bool(element, "lstrip", Where),
                JsonFields.Bool(element, "rstrip", Where),
                JsonFields.Bool(element, "normalized", Where),
                JsonFields.Bool(element, "special", Where));
            byId[id] = token;
        }

        return [.. byId.Values];
    }
}
