using System.Text;

namespace KvPrefetch.Engine.Text.Tokenization;

/// <summary>Tokens such as <c>&lt;0x0A&gt;</c> become bytes; a run of them that is not UTF-8 becomes one U+FFFD a byte, as a whole. So a run is held back until it ends,
/// or until it has 256 bytes: then what is certain by itself goes out.</summary>
internal sealed class ByteFallbackDecoder : TokenDecoder
{
    private const int MaxHeld = 256;

    public override DecodeStage Start(DecodeStage next, bool fused) => fused ? new GatherStage(new Stage(next)) : new Stage(next);

    internal static bool TryParse(ReadOnlySpan<byte> token, out byte value)
    {
        value = 0;
        if (token.Length != 6 || !token.StartsWith("<0x"u8) || token[5] != '>')
        {
            return false;
        }

        // The reference parses two characters as a hexadecimal number, which may have a sign.
        var digits = token[3..5];
        if (digits[0] == '+')
        {
            digits = digits[1..];
        }

        foreach (var digit in digits)
        {
            if (!char.IsAsciiHexDigit((char)digit))
            {
                return false;
            }

            value = (byte)((value << 4) | Convert.ToInt32(((char)digit).ToString(), 16));
        }

        return true;
    }

    private sealed class Stage(DecodeStage next) : DecodeStage
    {
        private readonly byte[] _held = new byte[MaxHeld];
        private int _count;

        public override void Push(ReadOnlySpan<byte> token)
        {
            if (!TryParse(token, out var value))
            {
                Release();
                next.Push(token);
                return;
            }

            _held[_count++] = value;
            if (_count == MaxHeld)
            {
                ReleaseComplete();
            }
        }

        public override void End()
        {
            Release();
            next.End();
        }

        private void Release()
        {
            Hand(_held.AsSpan(0, _count));
            _count = 0;
        }

        private void ReleaseComplete()
        {
            // Up to the last character, which may be unfinished.
            var complete = _count;
            for (var back = 1; back <= 3; back++)
            {
                var b = _held[_count - back];
                if (b >= 0xC0)
                {
                    complete = back < (b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4) ? _count - back : _count;
                    break;
                }

                if (b < 0x80)
                {
                    break;
                }
            }

            Hand(_held.AsSpan(0, complete));
            _held.AsSpan(complete, _count - complete).CopyTo(_held);
            _count -= complete;
        }

        private void Hand(ReadOnlySpan<byte> bytes)
        {
            if (bytes.IsEmpty)
            {
                return;
            }

            if (System.Text.Unicode.Utf8.IsValid(bytes))
            {
                next.Push(bytes);
                return;
            }

            for (var i = 0; i < bytes.Length; i++)
            {
                next.Push("\uFFFD"u8);
            }
        }
    }
}

/// <summary>Takes up to so many of a character from the ends of each token.</summary>
internal sealed class StripDecoder(string content, int start, int stop) : TokenDecoder
{
    private readonly byte[] _content = Encoding.UTF8.GetBytes(content);

    public override bool IsMap => true;

    public override void Map(ReadOnlySpan<byte> token, DecodeStage next)
    {
        var rest = token;
        for (var i = 0; i < start && rest.StartsWith(_content); i++)
        {
            rest = rest[_content.Length..];
        }

        for (var i = 0; i < stop && rest.EndsWith(_content); i++)
        {
            rest = rest[..^_content.Length];
        }

        next.Push(rest);
    }

    public override DecodeStage Start(DecodeStage next, bool fused)
        => !fused ? new MapStage(this, next) : stop == 0 ? new LeadingStage(_content, start, next) : new GatherStage(new MapStage(this, next));

    /// <summary>The parts of one token: only its beginning matters.</summary>
    private sealed class LeadingStage(byte[] content, int start, DecodeStage next) : DecodeStage
    {
        private readonly CollectStage _beginning = new();
        private int _left = start;

        public override void Push(ReadOnlySpan<byte> token)
        {
            if (_left == 0)
            {
                next.Push(token);
                return;
            }

            _beginning.Push(token);
            var rest = _beginning.Bytes;
            while (_left > 0 && rest.StartsWith(content))
            {
                rest = rest[content.Length..];
                _left--;
            }

            // A beginning that could still become the character waits.
            if (_left > 0 && content.AsSpan().StartsWith(rest))
            {
                var kept = rest.ToArray();
                _beginning.Clear();
                _beginning.Push(kept);
                return;
            }

            _left = 0;
            next.Push(rest);
            _beginning.Clear();
        }

        public override void End()
        {
            if (!_beginning.Bytes.IsEmpty)
            {
                next.Push(_beginning.Bytes);
                _beginning.Clear();
            }

            next.End();
        }
    }
}

/// <summary>Metaspaces back to spaces, those of the first token to nothing where a prefix was put.</summary>
internal sealed class MetaspaceDecoder(string replacement, bool prefixed) : TokenDecoder
{
    private readonly byte[] _replacement = Encoding.UTF8.GetBytes(replacement);

    public override DecodeStage Start(DecodeStage next, bool fused) => fused ? new GatherStage(new Stage(_replacement, prefixed, next)) : new Stage(_replacement, prefixed, next);

    private sealed class Stage(byte[] replacement, bool prefixed, DecodeStage next) : DecodeStage
    {
        private readonly CollectStage _token = new();
        private bool _drops = prefixed;

        public override void Push(ReadOnlySpan<byte> token)
        {
            // One token stays one token: what follows may count them.
            _token.Clear();
            while (true)
            {
                var at = token.IndexOf(replacement);
                if (at < 0)
                {
                    break;
                }

                _token.Push(token[..at]);
                if (!_drops)
                {
                    _token.Push(" "u8);
                }

                token = token[(at + replacement.Length)..];
            }

            _drops = false;
            _token.Push(token);
            next.Push(_token.Bytes);
        }

        public override void End() => next.End();
    }
}
