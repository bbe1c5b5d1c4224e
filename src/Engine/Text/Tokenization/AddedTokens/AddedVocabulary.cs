using System.Text;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>The added tokens of a tokenizer in the forms that encoding and decoding need. Immutable.</summary>
internal sealed class AddedVocabulary
{
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private readonly byte[]?[] _texts;
    private readonly bool[] _special;
    private readonly bool[] _skipped;

    /// <param name="tokens">All of them, one an id.</param>
    /// <param name="normalizer">Gives tokens marked normalized the form in which they are looked for.</param>
    /// <param name="vocabulary">The model's tokens.</param>
    public AddedVocabulary(IReadOnlyList<AddedToken> tokens, Normalizer? normalizer, Vocabulary vocabulary)
    {
        IdLimit = Math.Max(vocabulary.IdLimit, tokens.Select(token => token.Id + 1).DefaultIfEmpty(0).Max());
        _texts = new byte[]?[IdLimit];
        _special = new bool[IdLimit];
        _skipped = new bool[IdLimit];
        List<(string, AddedToken)> raw = [], normalized = [];
        var scratch = normalizer is not null && tokens.Any(token => token.Normalized) ? new EncodeState() : null;
        foreach (var token in tokens)
        {
            _ids[token.Content] = token.Id;
            _special[token.Id] |= token.Special;
            var text = token.Normalized && scratch is not null ? Normalize(token.Content, normalizer!, scratch) : token.Content;
            _texts[token.Id] = Encoding.UTF8.GetBytes(text);
            (token.Normalized ? normalized : raw).Add((text, token));
        }

        Raw = raw.Count > 0 ? new AddedTokenMatcher(raw) : null;
        Normalized = normalized.Count > 0 ? new AddedTokenMatcher(normalized) : null;
        Skip(tokens, vocabulary);
    }

    /// <summary>Highest id plus one, the vocabulary's included.</summary>
    public int IdLimit { get; }

    /// <summary>Finds tokens in the text as it is; null where there are none.</summary>
    public AddedTokenMatcher? Raw { get; }

    /// <summary>Finds tokens in normalized text; null where there are none.</summary>
    public AddedTokenMatcher? Normalized { get; }

    public bool TryGetId(string content, out int id) => _ids.TryGetValue(content, out id);

    public bool IsAdded(int id) => (uint)id < (uint)_texts.Length && _texts[id] is not null;

    /// <summary>True for tokens marked special.</summary>
    public bool IsSpecial(int id) => (uint)id < (uint)_special.Length && _special[id];

    /// <summary>True where a decoding without special tokens leaves the id out.</summary>
    public bool IsSkipped(int id) => _skipped[id];

    /// <summary>UTF-8 text of an added token as it is decoded; null for other ids.</summary>
    public byte[]? Text(int id) => _texts[id];

    private static string Normalize(string text, Normalizer normalizer, EncodeState scratch)
    {
        scratch.Text.Reset(tracksTaint: false);
        scratch.Text.Append(text);
        normalizer.Apply(scratch);
        return scratch.Text.Span.ToString();
    }

    // By text, as the reference does it.
    private void Skip(IReadOnlyList<AddedToken> tokens, Vocabulary vocabulary)
    {
        var contents = tokens.Where(token => token.Special).Select(token => token.Content).ToHashSet(StringComparer.Ordinal);
        foreach (var content in contents)
        {
            var id = vocabulary.Find(Encoding.UTF8.GetBytes(content));
            if (id >= 0)
            {
                _skipped[id] = true;
            }
        }

        foreach (var token in tokens)
        {
            _skipped[token.Id] = contents.Contains(Encoding.UTF8.GetString(_texts[token.Id]!));
        }
    }
}
