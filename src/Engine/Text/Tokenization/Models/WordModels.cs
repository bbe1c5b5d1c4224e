using System.Text;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>A piece is a token or unknown.</summary>
internal sealed class WordLevelModel(Vocabulary vocabulary, string unknownToken) : TokenModel(vocabulary)
{
    private readonly int _unknown = vocabulary.Find(Encoding.UTF8.GetBytes(unknownToken));

    protected override void EncodeUncached(ReadOnlySpan<char> word, EncodeState state)
    {
        var id = Vocabulary.FindOrdinary(state.Utf8Of(word));
        id = id >= 0 ? id : _unknown;
        state.Ids.Add(id >= 0 ? id : throw MissingUnknownToken(unknownToken));
    }
}

/// <summary>BERT's: the longest token first, from the left; a word that does not work out is one unknown token.</summary>
internal sealed class WordPieceModel(Vocabulary vocabulary, string unknownToken, string prefix, int maxChars) : TokenModel(vocabulary)
{
    private readonly int _unknown = vocabulary.Find(Encoding.UTF8.GetBytes(unknownToken));
    private readonly byte[] _prefix = Encoding.UTF8.GetBytes(prefix);

    protected override void EncodeUncached(ReadOnlySpan<char> word, EncodeState state)
    {
        var before = state.Ids.Count;
        if (Length(word) > maxChars || !TrySplit(state.Utf8Of(word), state))
        {
            state.Ids.Truncate(before);
            state.Ids.Add(_unknown >= 0 ? _unknown : throw MissingUnknownToken(unknownToken));
        }
    }

    private static int Length(ReadOnlySpan<char> word)
    {
        var length = 0;
        foreach (var c in word)
        {
            length += char.IsLowSurrogate(c) ? 0 : 1;
        }

        return length;
    }

    private bool TrySplit(ReadOnlySpan<byte> word, EncodeState state)
    {
        // No token is longer than the longest, so no more of the word needs a look.
        var size = checked(_prefix.Length + Math.Min(word.Length, Vocabulary.LongestText));
        var buffer = size <= 512 ? stackalloc byte[512] : new byte[size];
        _prefix.CopyTo(buffer);
        for (var start = 0; start < word.Length;)
        {
            var rest = word[start..];
            var length = Math.Min(rest.Length, Vocabulary.LongestText);
            var id = -1;
            for (; length > 0; length--)
            {
                if (length < rest.Length && (rest[length] & 0xC0) == 0x80)
                {
                    continue;
                }

                if (start == 0)
                {
                    id = Vocabulary.FindOrdinary(rest[..length]);
                }
                else
                {
                    rest[..length].CopyTo(buffer[_prefix.Length..]);
                    id = Vocabulary.FindOrdinary(buffer[..(_prefix.Length + length)]);
                }

                if (id >= 0)
                {
                    break;
                }
            }

            if (id < 0)
            {
                return false;
            }

            state.Ids.Add(id);
            start += length;
        }

        return true;
    }
}
