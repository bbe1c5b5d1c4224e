using System.Text;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>BERT's: a space before each word but the first, no prefix on continued words, and English punctuation tidied.</summary>
internal sealed class WordPieceDecoder(string prefix, bool cleanup) : TokenDecoder
{
    private static readonly (string From, string To)[] s_cleanups =
    [
        (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ];

    private readonly byte[] _prefix = Encoding.UTF8.GetBytes(prefix);

    public override DecodeStage Start(DecodeStage next, bool fused) => fused ? new GatherStage(new Stage(_prefix, cleanup, next)) : new Stage(_prefix, cleanup, next);

    private static byte[] Tidy(ReadOnlySpan<byte> token)
    {
        var text = Encoding.UTF8.GetString(token);
        foreach (var (from, to) in s_cleanups)
        {
            text = text.Replace(from, to, StringComparison.Ordinal);
        }

        return Encoding.UTF8.GetBytes(text);
    }

    private sealed class Stage(byte[] prefix, bool cleanup, DecodeStage next) : DecodeStage
    {
        private readonly CollectStage _word = new();
        private bool _first = true;

        public override void Push(ReadOnlySpan<byte> token)
        {
            _word.Clear();
            if (!_first && token.StartsWith(prefix))
            {
                token = token[prefix.Length..];
            }
            else if (!_first)
            {
                _word.Push(" "u8);
            }

            _first = false;
            _word.Push(token);
            next.Push(cleanup && MayTidy(_word.Bytes) ? Tidy(_word.Bytes) : _word.Bytes);
        }

        public override void End() => next.End();

        private static bool MayTidy(ReadOnlySpan<byte> token)
        {
            for (var space = token.IndexOf((byte)' '); space >= 0 && space + 1 < token.Length;)
            {
                if (token[space + 1] is (byte)'.' or (byte)'?' or (byte)'!' or (byte)',' or (byte)'\'' or (byte)'n' or (byte)'d')
                {
                    return true;
                }

                var next = token[(space + 1)..].IndexOf((byte)' ');
                space = next < 0 ? -1 : space + 1 + next;
            }

            return false;
        }
    }
}

/// <summary>A suffix that ends a word becomes a space, at the very end nothing: so the last token is held back.</summary>
internal sealed class SuffixDecoder(string suffix) : TokenDecoder
{
    public override DecodeStage Start(DecodeStage next, bool fused) => fused ? new GatherStage(new Stage(suffix, next)) : new Stage(suffix, next);

    private sealed class Stage(string suffix, DecodeStage next) : DecodeStage
    {
        private string? _held;

        public override void Push(ReadOnlySpan<byte> token)
        {
            Release(" ");
            _held = Encoding.UTF8.GetString(token);
        }

        public override void End()
        {
            Release("");
            next.End();
        }

        private void Release(string replacement)
        {
            if (_held is not null)
            {
                next.Push(Encoding.UTF8.GetBytes(suffix.Length == 0 ? Between(_held, replacement) : _held.Replace(suffix, replacement, StringComparison.Ordinal)));
            }

            _held = null;
        }

        // An empty suffix stands between all characters, and at both ends.
        private static string Between(string text, string replacement)
            => replacement + string.Concat(text.EnumerateRunes().Select(rune => rune.ToString() + replacement));
    }
}
